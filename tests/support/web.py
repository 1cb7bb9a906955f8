"""Web servers on loopback for the tests: nginx with a log that counts, and a scripted one for faults."""
import collections
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import host

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)
Entry = collections.namedtuple("Entry", "method path range status sent")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process=None, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process and process.poll() is not None:
                break
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens at port {port}")


class Nginx:
    """Serves a folder; log() gives the requests since clear(), with the bytes of their bodies."""

    def __init__(self, root):
        self.folder = tempfile.mkdtemp(prefix="stacchip_nginx_")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        f = self.folder
        with open(f"{f}/nginx.conf", "w") as c:
            c.write(f"""daemon off; pid {f}/pid; error_log {f}/error.log; worker_processes 2; master_process on;
{'user root;' if os.getuid() == 0 else ''}
events {{ worker_connections 512; }}
http {{
  log_format count '$request_method|$uri|$http_range|$status|$body_bytes_sent';
  access_log {f}/access.log count;
  client_body_temp_path {f}/b; proxy_temp_path {f}/p; fastcgi_temp_path {f}/f; uwsgi_temp_path {f}/u; scgi_temp_path {f}/s;
  keepalive_requests 100000;
  server {{ listen 127.0.0.1:{self.port}; root {root}; gzip on; gzip_types application/json; types {{ application/json json; image/tiff tif; }} }}
}}
""")
        self.process = subprocess.Popen([NGINX, "-p", f, "-c", f"{f}/nginx.conf"], stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)
        self.seen = 0

    def _entries(self):
        with open(f"{self.folder}/access.log") as f:
            return [Entry(m, p, r, int(s), int(b)) for m, p, r, s, b in (line.rstrip("\n").split("|") for line in f)]

    def clear(self):
        time.sleep(0.05)  # nginx writes a line when the request has ended
        self.seen = len(self._entries())

    def log(self):
        time.sleep(0.05)
        return self._entries()[self.seen:]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Scripted:
    """
    Files from memory or by a function, over HTTP/1.1 with ranges. `fault(request) -> None or callable`
    may take an answer over: it gets the handler. requests: [(method, path with query, headers, body)].
    """

    def __init__(self, files=None, fault=None, etag=lambda path, data: '"%08x"' % (hash((path, data)) & 0xFFFFFFFF)):
        self.files, self.fault, self.etag = files or {}, fault, etag
        self.requests, self.lock = [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *a):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), str(v))
                if "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def json(self, value, status=200, **headers):
                self.answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

            def drop(self):
                """End the connection without a word."""
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def data(self):
                return outer.files.get(self.path.split("?")[0])

            def span(self):
                """(first, last) of the range asked for, or None."""
                m = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
                n = len(self.data())
                return (int(m[1]), min(int(m[2] or n - 1), n - 1)) if m else None

            def plain(self):
                """What an honest server answers."""
                data, path = self.data(), self.path.split("?")[0]
                if data is None:
                    return self.answer(404, b"no such file")
                span = self.span()
                etag = outer.etag(path, data) if outer.etag else None
                more = {"ETag": etag} if etag else {}
                if not span:
                    return self.answer(200, data, Accept_Ranges="bytes", **more)
                if span[0] >= len(data):
                    return self.answer(416, b"", Content_Range=f"bytes */{len(data)}")
                a, b = span
                self.answer(206, data[a:b + 1], Content_Range=f"bytes {a}-{b}/{len(data)}", **more)

            def serve(self):
                n = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(n) if n else b""
                with outer.lock:
                    outer.requests.append((self.command, self.path, dict(self.headers), self.body))
                    self.number = len(outer.requests)
                try:
                    other = outer.fault(self) if outer.fault else None
                    (other or Handler.plain)(self)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *a):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def clear(self):
        with self.lock:
            self.requests.clear()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def scene(kind, size):
    """A folder with a synthetic scene, made once."""
    folder = os.path.join(host.ROOT, "build", "scenes", f"{kind}_{size}")
    if not os.path.exists(os.path.join(folder, "item.json")):
        part = f"{folder}.{os.getpid()}"
        os.makedirs(part, exist_ok=True)
        subprocess.run([os.path.join(host.ROOT, "build", "release", "make_scene"), kind, part, str(size)], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(part, folder)
    return folder


ONE_STATEMENT = """
import sys; sys.path.insert(0, %r)
import host, json
db = host.connect(sys.argv[1])
for q in json.loads(sys.argv[2]): r = db.execute(*q).fetchall()
print(json.dumps(r[0][0].hex() if isinstance(r[0][0], bytes) else r[0][0]) if r else "null")
""" % os.path.join(host.ROOT, "tests", "support")


def cold(path, *statements, env=None, check=True):
    """Run (sql, arguments) pairs in a new process; the last one's first value (a BLOB as hexadecimal)."""
    r = subprocess.run([sys.executable, "-c", ONE_STATEMENT, path, json.dumps(statements)], capture_output=True, text=True,
                       env={**os.environ, **(env or {})}, timeout=300)
    if check and r.returncode:
        raise AssertionError(r.stderr[-800:])
    return json.loads(r.stdout) if r.returncode == 0 else r.stderr
