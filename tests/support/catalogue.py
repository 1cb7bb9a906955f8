"""A STAC API and a file server on loopback for the tests: answers every search with a scene of the period asked for."""
import copy
import http.server
import json
import os
import re
import threading

import web


class Catalogue:
    """folder: served by nginx where it is there, else below /files/. items: item dicts by collection, hrefs as file names below folder."""

    def __init__(self, folder, items):
        self.folder, self.items, self.requests, self.down, self.empty = folder, items, [], False, False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def send(self, status, body, kind="application/json", headers=()):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for k, v in headers:
                    self.send_header(k, v)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                outer.requests.append((self.command, self.path))
                path = os.path.join(outer.folder, self.path.removeprefix("/files/").split("?")[0].lstrip("/"))
                if not os.path.isfile(path):
                    return self.send(404, b'{"message":"not here"}')
                size = os.path.getsize(path)
                m = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
                a, b = (int(m[1]), min(int(m[2] or size - 1), size - 1)) if m else (0, size - 1)
                with open(path, "rb") as f:
                    f.seek(a)
                    data = f.read(b - a + 1)
                head = [("Accept-Ranges", "bytes"), ("ETag", f'"{size}"')] + ([("Content-Range", f"bytes {a}-{b}/{size}")] if m else [])
                self.send(206 if m else 200, data, "application/octet-stream", head)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(("POST", body))
                if outer.down:
                    return self.send(503, b'{"message":"out of order"}')
                features = [] if outer.empty else outer.scenes(body)
                self.send(200, json.dumps({"type": "FeatureCollection", "features": features, "links": []}).encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *a: None  # clients are killed
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.nginx = web.Nginx(folder) if web.NGINX else None
        self.files_url = self.nginx.url if self.nginx else f"{self.url}/files"

    def scenes(self, body):
        """Two scenes of the collection in the period asked for; the second is the clearer one."""
        out = []
        for collection in body["collections"]:
            day = body.get("datetime", "2021-05-01T00:00:00Z/").split("/")[0][:10]
            for n, cloud in ((1, 40), (2, 3)):
                it = copy.deepcopy(self.items[collection])
                it["id"] = f"{it['id']}_{day}_{n}"
                it["collection"] = collection
                it["properties"].update({"datetime": f"{day}T10:11:12Z", "eo:cloud_cover": cloud})
                for test, value in (body.get("query") or {}).items():
                    if "eq" in value:
                        it["properties"][test] = value["eq"]
                for a in it["assets"].values():
                    a["href"] = f"{self.files_url}/{a['href']}"
                out.append(it)
        return out

    def n_fetched(self):
        """How many requests for files there were."""
        return len(self.nginx.log()) if self.nginx else sum(r[0] == "GET" for r in self.requests)

    def close(self):
        if self.nginx:
            self.nginx.close()
        self.server.shutdown()
