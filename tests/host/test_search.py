"""Paging that comes round, links that lead elsewhere, and search bodies asked for by GET."""
import json
import sqlite3
import unittest
import urllib.parse

import host
import web


def feature(name):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z"}, "assets": {"a": {"href": "https://example.invalid/a.tif"}}}


def page(names=(), link=None):
    return {"type": "FeatureCollection", "features": [feature(n) for n in names], "links": [dict(link, rel="next")] if link else []}


class Search(unittest.TestCase):
    def setUp(self):
        self.server, self.other = web.Scripted(), web.Scripted(fault=lambda h: lambda h: h.json(page()))
        self.db = host.connect()

    def tearDown(self):
        self.server.close()
        self.other.close()

    def answers(self, function):
        self.server.fault = lambda h: lambda h: h.json(function(h.number - 1, json.loads(h.body or "{}")))

    def ask(self, query=None, options=None, url=None):
        return [r[0] for r in self.db.execute("SELECT id FROM stacchip_search(?, ?, ?)", (url or self.server.url, query, options))]

    def refused(self, words, *arguments, **named):
        with self.assertRaisesRegex(sqlite3.Error, words) as e:
            self.ask(*arguments, **named)
        return str(e.exception)


class Paging(Search):
    def post(self, body):
        return {"method": "POST", "href": self.server.url + "/search", "body": body}

    def test_any_earlier_request_ends_it(self):
        for names in (lambda n: ["same"], lambda n: [f"new{n}"], lambda n: []):
            for cycle in (1, 2, 3):
                with self.subTest(cycle=cycle, names=names(0)):
                    self.server.clear()
                    self.answers(lambda n, body: page(names(n), self.post({"token": n % cycle})))
                    self.refused(r"127.0.0.1:\d+/search: page \d+ of the search: .*leads back to an earlier page")
                    self.assertLessEqual(len(self.server.requests), cycle + 2)

    def test_pages_without_a_new_item_end(self):
        for names in (["same"], [], ["same", "other"]):
            self.server.clear()
            self.answers(lambda n, body: page(names, self.post({"token": n})))
            self.refused(r"page \d+ of the search: .*without a new item")
            self.assertLessEqual(len(self.server.requests), 10)

    def test_an_item_that_comes_twice_does_not(self):
        self.answers(lambda n, body: page([f"i{n // 2}", f"i{n // 2 + 1}"] if n % 3 else ["i0"], self.post({"token": n}) if n < 20 else None))
        self.assertGreater(len(self.ask()), 21)

    def test_by_get(self):
        self.server.fault = lambda h: lambda h: h.json(page(["same"], {"href": self.server.url + f"/search?page={h.number % 2}"}))
        self.refused("leads back to an earlier page", "{}", '{"method":"GET"}')
        self.assertLessEqual(len(self.server.requests), 4)

    def test_the_items_before_the_error_are_given(self):
        self.answers(lambda n, body: page(["a", "b"], {"href": "s3://bucket/x"}))
        self.assertEqual(self.db.execute("SELECT id FROM stacchip_search(?) LIMIT 2", (self.server.url,)).fetchall(), [("a",), ("b",)])
        self.refused("page 1 of the search: its next link is not of http")

    def test_errors_name_server_and_page(self):
        self.server.fault = lambda h: lambda h: h.json(page([f"i{h.number}"], self.post({"p": h.number}))) if h.number < 3 else h.answer(200, b"<html><title>Sign in</title>")
        self.assertRegex(self.refused("HTML page"), r"127.0.0.1:\d+/search: page 3 of the search")
        self.server.clear()
        self.server.fault = lambda h: lambda h: h.json(page([f"i{h.number}"], self.post({"p": h.number}))) if h.number < 2 else h.answer(404, b"gone")
        self.assertRegex(self.refused("404"), r"page 2 of the search: http://127.0.0.1:\d+/search")

    def test_a_broken_feature_is_told(self):
        self.answers(lambda n, body: {"type": "FeatureCollection", "features": [feature("a"), {"type": "Feature", "assets": {}}, 3, feature("b")]})
        rows = self.db.execute("SELECT id, error FROM stacchip_search(?)", (self.server.url,)).fetchall()
        self.assertEqual([r[0] for r in rows], ["a", None, None, "b"])
        self.assertRegex(rows[1][1], "no id")


class OtherServers(Search):
    KEYS = '{"headers": {"Authorization": "Bearer USERTOKEN", "X-Api-Key": "USERTOKEN", "Cookie": "USERTOKEN"}}'

    def links(self, link, options=KEYS):
        self.server.clear()
        self.answers(lambda n, body: page(["a"], link) if n == 0 else page())
        return self.ask('{"token": "USERTOKEN"}', options)

    def test_another_server_gets_no_header_and_no_body(self):
        self.assertEqual(self.links({"href": self.other.url + "/next?x=1", "headers": {"Host": "internal", "X-Own": "1"}}), ["a"])
        (method, path, headers, body), = self.other.requests
        self.assertEqual((method, path, body), ("GET", "/next?x=1", b""))
        self.assertEqual(headers["Host"], f"127.0.0.1:{self.other.port}")
        self.assertNotIn("X-Own", headers)
        self.assertNotIn("USERTOKEN", str(self.other.requests))

    def test_post_to_another_server_is_refused(self):
        for href in (self.other.url, self.other.url.replace("127.0.0.1", "localhost"), self.server.url.replace("127.0.0.1", "localhost"), self.other.url.replace("http://", "//"), self.server.url.replace("http", "https")):
            for body in ({}, {"body": {"Image": "x"}}, {"body": {}, "merge": True}):
                with self.assertRaisesRegex(sqlite3.Error, "another server by POST"):
                    self.links({"href": href + "/search", "method": "post", **body})
        self.assertEqual(self.other.requests, [])

    def test_its_own_server_gets_them_but_no_hop_header(self):
        bad = ["Host", "authorization", "Cookie", "Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE", "Proxy-Authorization", "X-Forwarded-For", "Metadata-Flavor", "Metadata",
               "X-aws-ec2-metadata-token", "x-ms-version", "Forwarded", "X-Api-Key", "Expect", "Range", "X-HTTP-Method-Override"]
        self.assertEqual(self.links({"href": "/search?n=2", "headers": dict({h: "SERVERSAYS" for h in bad}, **{"Search-After": "1", "bad name": "1", "Bad": "a\r\nb: c", "": "x", "X-N": 3})}), ["a"])
        headers = self.server.requests[1][2]
        self.assertNotIn("SERVERSAYS", str(headers))
        self.assertEqual((headers["Search-After"], headers["Authorization"], headers["X-Api-Key"]), ("1", "Bearer USERTOKEN", "USERTOKEN"))
        self.assertEqual(headers["Host"], f"127.0.0.1:{self.server.port}")
        self.assertFalse({"Bad", "bad name", "X-N"} & set(headers))

    def test_the_port_of_a_scheme_may_be_written(self):
        self.answers(lambda n, body: page(["a"], {"href": self.server.url.replace("://", "://user:pw@") + "/search", "method": "POST", "body": {"n": 2}}) if n == 0 else page())
        self.ask("{}", self.KEYS)
        self.assertEqual(self.server.requests[1][2]["X-Api-Key"], "USERTOKEN")

    def test_other_schemes_and_local_files_are_refused(self):
        for href, words in (("s3://bucket/key", "not of http"), ("file:///etc/passwd", "may not name a local file"), ("gs://b/k", "not of http"), ("http://169.254.169.254/latest", "not allowed")):
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.links({"href": href})
        with self.assertRaisesRegex(sqlite3.Error, "neither GET nor POST"):
            self.links({"href": self.server.url, "method": "DELETE"})

    def test_headers_of_the_caller_are_checked(self):
        for headers in ({"a\r\nb": "c"}, {"a": "b\nc: d"}, {"a:b": "c"}, {"a": 1}, {"": "x"}):
            with self.assertRaisesRegex(sqlite3.Error, "header"):
                self.links({"href": "/x"}, json.dumps({"headers": headers}))
        with self.assertRaisesRegex(sqlite3.Error, "more than 32 headers"):
            self.links({"href": "/x"}, json.dumps({"headers": {f"h{i}": "x" for i in range(40)}}))


class ByGet(Search):
    def query(self, body, url=""):
        self.server.clear()
        self.answers(lambda n, _: page())
        self.ask(json.dumps(body), '{"method": "GET"}', url=self.server.url + url)
        path, _, query = self.server.requests[0][1].partition("?")
        self.assertNotIn("+", query)
        return path, dict(urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))

    def test_the_short_forms(self):
        # STAC API 1.0.0 item search and its extensions sort, fields, filter, query: the GET forms
        for body, wanted in (({"sortby": [{"field": "properties.datetime", "direction": "desc"}, {"field": "id", "direction": "asc"}, {"field": "eo:cloud_cover"}]}, {"sortby": "-properties.datetime,id,eo:cloud_cover"}),
                             ({"sortby": ["-properties.datetime", "id"]}, {"sortby": "-properties.datetime,id"}), ({"sortby": "-id"}, {"sortby": "-id"}),
                             ({"fields": {"include": ["id", "properties.gsd"], "exclude": ["assets", "links"]}}, {"fields": "id,properties.gsd,-assets,-links"}), ({"fields": {"exclude": ["assets"]}}, {"fields": "-assets"}),
                             ({"fields": ["id", "-assets"]}, {"fields": "id,-assets"}), ({"fields": "id"}, {"fields": "id"}), ({"fields": {}}, {"fields": ""}),
                             ({"ids": ["a", "b c"], "collections": ["x&y", "ü"], "limit": 5}, {"ids": "a,b c", "collections": "x&y,ü", "limit": "5"}), ({"bbox": [-10.5, 1, 2, 3]}, {"bbox": "-10.5,1,2,3"}),
                             ({"datetime": "2024-01-01T00:00:00+02:00/.."}, {"datetime": "2024-01-01T00:00:00+02:00/.."}), ({"limit": None, "ids": []}, {"ids": ""}),
                             ({"filter": "eo:cloud_cover < 10"}, {"filter": "eo:cloud_cover < 10", "filter-lang": "cql2-text"}), ({"filter": "x=1", "filter-lang": "cql-text"}, {"filter": "x=1", "filter-lang": "cql-text"})):
            with self.subTest(body):
                self.assertEqual(self.query(body), ("/search", wanted))
        for name, value, more in (("intersects", {"type": "Point", "coordinates": [1, 2]}, {}), ("query", {"eo:cloud_cover": {"lt": 10}}, {}), ("filter", {"op": "<=", "args": [{"property": "a"}, 1]}, {"filter-lang": "cql2-json"})):
            path, got = self.query({name: value})
            self.assertEqual(json.loads(got.pop(name)), value)
            self.assertEqual(got, more)

    def test_what_get_cannot_say_is_refused(self):
        for body, words in (({"ids": ["a,b"]}, "ids: 'a,b' holds a comma"), ({"sortby": [{"direction": "desc"}]}, "sortby takes"), ({"sortby": [{"field": "a", "direction": "down"}]}, "sortby takes"), ({"fields": {"include": "id"}}, "fields takes")):
            with self.assertRaisesRegex(sqlite3.Error, words):
                self.query(body)

    def test_roots_with_a_query(self):
        for url, path, query in (("/v1?key=a%2Cb", "/v1/search", {"key": "a,b", "limit": "1"}), ("/v1/?key=x", "/v1/search", {"key": "x", "limit": "1"}), ("/v1/search?key=x", "/v1/search", {"key": "x", "limit": "1"}),
                                 ("?key=x", "/search", {"key": "x", "limit": "1"}), ("/v1/search/", "/v1/search", {"limit": "1"}), ("/v1#top", "/v1/search", {"limit": "1"}), ("/v1?a=1/search", "/v1/search", {"a": "1/search", "limit": "1"})):
            with self.subTest(url):
                self.assertEqual(self.query({"limit": 1}, url), (path, query))
        self.server.clear()
        self.ask('{"limit": 1}', url=self.server.url + "/v1?key=x")
        self.assertEqual(self.server.requests[0][:2], ("POST", "/v1/search?key=x"))


class Pages(Search):
    """A sign-in page or an error's XML in place of a raster or an item."""

    def test_in_place_of_a_raster(self):
        grid = {"proj:epsg": 32720, "proj:shape": [256, 256], "proj:transform": [10, 0, 600000, 0, -10, 6400000]}
        for body, words in ((b"\n<!DOCTYPE html>\n<html><title>Sign in</title></html>", "x.tif: it is an HTML page"), (b"<?xml version='1.0'?><Error/>", "x.tif: it is XML, not a raster"), (b"\x1f\x8b" + bytes(99), "it is gzip data"), (b'{"a": 1}' + bytes(99), "cannot open as a raster")):
            self.server.files = {"/x.tif": body}
            item = json.dumps(dict(feature("i"), assets={"d": dict(grid, href=self.server.url + "/x.tif", type="image/tiff")}))
            for sql, values in (("SELECT * FROM stacchip_index(?)", (self.server.url + "/x.tif",)), ("SELECT stacchip_chip(row) FROM stacchip_index(?, '{\"platform\":\"none\"}')", (item,))):
                with self.assertRaisesRegex(sqlite3.Error, words):
                    self.db.execute(sql, values).fetchall()

    def test_in_place_of_an_item(self):
        self.server.files = {"/x.json": b"<html>sign in</html>"}
        for sql in ("SELECT * FROM stacchip_index(?)", "SELECT * FROM stacchip_items(?)"):
            with self.assertRaisesRegex(sqlite3.Error, "x.json: it is an HTML page"):
                self.db.execute(sql, (self.server.url + "/x.json",)).fetchall()


if __name__ == "__main__":
    host.main()
