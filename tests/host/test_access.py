"""The access rules: each promise of docs/security.md with tries to break it. No request may leave loopback."""
import ctypes
import itertools
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

os.environ["STACCHIP_RETRIES"] = "0"
for _name in ("STACCHIP_HOSTS", "STACCHIP_LOCAL", "http_proxy", "https_proxy", "no_proxy"):
    os.environ.pop(_name, None)
import host
import web

PROGRAM = os.path.join(os.path.dirname(host.EXT), "stacchip")


class Access(unittest.TestCase):
    """A scratch folder, and a server whose requests are looked at."""

    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="stacchip_access_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.server = web.Scripted()
        self.addCleanup(self.server.close)

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, name, value):
        if not isinstance(value, (bytes, str)):
            value = json.dumps(value)
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(value if isinstance(value, bytes) else value.encode())
        return self.path(name)

    def ask(self, db, sql, *args):
        """The first value, or the message of the error."""
        try:
            row = db.execute(sql, args).fetchone()
            return row[0] if row else None
        except sqlite3.Error as e:
            return "error: %s" % e

    def refused(self, db, sql, *args, words=""):
        answer = self.ask(db, sql, *args)
        self.assertRegex(str(answer), "^error: ", sql)
        self.assertIn(words, answer)
        return answer

    def stranger(self, name, *schema):
        """A database written by a program that knows nothing of us: (type, name, table, sql) go into the schema as they are."""
        f = self.path(name)
        db = sqlite3.connect(f)
        db.execute("CREATE TABLE other(a)")
        db.execute("CREATE TABLE idx(chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, geometry)")
        for kind, entry, table, sql in schema:
            if kind == "table" and "VIRTUAL" not in sql:  # it has a page of its own
                db.execute("CREATE TABLE %s(a INTEGER PRIMARY KEY)" % entry)
            elif kind == "index":
                db.execute("CREATE INDEX %s ON %s(a)" % (entry, table))
            else:
                db.execute("PRAGMA writable_schema = ON")
                db.execute("INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql) VALUES (?, ?, ?, 0, '')", (kind, entry, table))
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, entry))
        db.commit()
        db.close()
        return f


class StrangersSchema(Access):
    """A schema that somebody else wrote calls none of our functions and tables that open, write or set anything."""

    PLACES = {  # where it stands: the entries of the schema, and what the user says
        "CHECK": ([("table", "t", "t", "CREATE TABLE t(a CHECK({0} IS NOT 'z'))")], "INSERT INTO t VALUES (1)"),
        "CHECK of the table": ([("table", "t", "t", "CREATE TABLE t(a, CHECK(1 OR {0} IS NOT 'z'))")], "INSERT INTO t VALUES (1)"),
        "CHECK with a column": ([("table", "t", "t", "CREATE TABLE t(a, CHECK(CASE WHEN a THEN {0} END IS NOT 'z'))")], "INSERT INTO t VALUES (1)"),
        "stored column": ([("table", "t", "t", "CREATE TABLE t(a, b AS ({0}) STORED)")], "INSERT INTO t VALUES (1)"),
        "virtual column": ([("table", "t", "t", "CREATE TABLE t(a, b AS ({0}))")], "SELECT b FROM (SELECT 1) LEFT JOIN t"),
        "expression index": ([("table", "t", "t", "CREATE TABLE t(a)"), ("index", "i", "t", "CREATE INDEX i ON t({0})")], "INSERT INTO t VALUES (1)"),
        "partial index": ([("table", "t", "t", "CREATE TABLE t(a)"), ("index", "i", "t", "CREATE INDEX i ON t(a) WHERE {0}")], "INSERT INTO t VALUES (1)"),
        "DEFAULT": ([("table", "t", "t", "CREATE TABLE t(a, b DEFAULT ({0}))")], "INSERT INTO t(a) VALUES (1)"),
        "view": ([("view", "v", "v", "CREATE VIEW v AS SELECT {0} AS x")], "SELECT x FROM v"),
        "view of a view": ([("view", "w", "w", "CREATE VIEW w AS SELECT {0} AS x"), ("view", "v", "v", "CREATE VIEW v AS WITH c AS (SELECT x FROM w) SELECT x FROM c")], "SELECT x FROM v"),
        "FILTER": ([("view", "v", "v", "CREATE VIEW v AS SELECT count(*) FILTER (WHERE {0} IS NOT 'z') AS x FROM sqlite_master")], "SELECT x FROM v"),
        "window": ([("view", "v", "v", "CREATE VIEW v AS SELECT count(*) OVER (ORDER BY {0}) AS x FROM sqlite_master")], "SELECT x FROM v"),
        "named window": ([("view", "v", "v", "CREATE VIEW v AS SELECT count(*) OVER w AS x FROM sqlite_master WINDOW w AS (PARTITION BY {0})")], "SELECT x FROM v"),
        "ORDER BY": ([("view", "v", "v", "CREATE VIEW v AS SELECT 1 AS x FROM sqlite_master ORDER BY {0} LIMIT 1")], "SELECT x FROM v"),
        "trigger": ([("trigger", "r", "other", "CREATE TRIGGER r AFTER INSERT ON other BEGIN SELECT {0}; END")], "INSERT INTO other VALUES (1)"),
        "WHEN": ([("trigger", "r", "other", "CREATE TRIGGER r AFTER INSERT ON other WHEN {0} IS NOT 'z' BEGIN SELECT 1; END")], "INSERT INTO other VALUES (1)"),
        "instead of": ([("view", "v", "v", "CREATE VIEW v AS SELECT 1 AS x"), ("trigger", "r", "v", "CREATE TRIGGER r INSTEAD OF INSERT ON v BEGIN UPDATE other SET a = {0}; END")], "INSERT INTO v VALUES (1)"),
        "UPSERT": ([("trigger", "r", "other", "CREATE TRIGGER r AFTER INSERT ON other BEGIN INSERT INTO k VALUES (1) ON CONFLICT (a) DO UPDATE SET a = {0}; END"),
                    ("table", "k", "k", "CREATE TABLE k(a INTEGER PRIMARY KEY)")], "INSERT INTO other VALUES (1)"),
    }
    ARGUMENTS = ("stacchip_index('{url}')", "stacchip_items('{url}')", "stacchip_search('{url}', '{{}}')", "stacchip_parquet('{url}')")

    @classmethod
    def setUpClass(cls):
        cls.watcher = host.connect()  # settings are the process's

    def calls(self, f):
        u = self.server.url
        return ["stacchip_config('timeout_ms', '4321')", "stacchip_export('idx', '%s')" % f, "stacchip_item_info('%s/i.json')" % u,
                "stacchip_chip('%s/i.json')" % u, "stacchip_chip_info('{\"item\":\"%s/i.json\",\"chip_index_x\":0,\"chip_index_y\":0}')" % u,
                "stacchip_row_export('{\"item\":\"%s/i.json\",\"chip_index_x\":0,\"chip_index_y\":0}')" % u,
                "stacchip_platform_set('stranger', '{\"cloud\":\"1\"}')", "stacchip_platform_drop('naip')",
                "stacchip_merge_items('idx', 'SELECT 1')", "stacchip_debug()"]

    def attempt(self, entries, call, sql, early, trusted):
        """The user's statement over a stranger's schema; fails the test where anything was done."""
        planted = self.path("planted.parquet")
        f = self.stranger("s%d.db" % len(os.listdir(self.folder)), *((k, n, t, s.format(call)) for k, n, t, s in entries))
        db = sqlite3.connect(f, isolation_level=None)
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        if early:  # the schema is read before our functions are known
            self.ask(db, "SELECT * FROM t")
        db.load_extension(host.EXT)
        db.execute("PRAGMA trusted_schema = %d" % trusted)
        rules = "SELECT group_concat(name) FROM stacchip_platform"
        before = self.ask(db, rules)
        answer = self.ask(db, sql)
        self.assertEqual(before, self.ask(db, rules))
        self.assertNotEqual(self.ask(self.watcher, "SELECT stacchip_config('timeout_ms')"), "4321")
        self.assertFalse(os.path.exists(planted))
        self.assertEqual(self.server.requests, [])
        return answer

    def test_no_place_of_a_schema_calls_our_functions(self):
        for place, (entries, sql) in self.PLACES.items():
            for call, n in zip(self.calls(self.path("planted.parquet")), (4, 1, 1)):
                for early, trusted in list(itertools.product((1, 0), (1, 0)))[:n]:
                    with self.subTest(place=place, call=call, early=early, trusted=trusted):
                        answer = self.attempt(entries, call, sql, early, trusted)
                        self.assertRegex(str(answer), "^error: .*(unsafe use|malformed|prohibited)")

    def test_all_functions_that_do_something(self):
        for call in self.calls(self.path("planted.parquet"))[3:]:
            for place in ("CHECK", "view", "DEFAULT", "trigger"):
                with self.subTest(place=place, call=call):
                    answer = self.attempt(*self.PLACES[place][:1], call, self.PLACES[place][1], 0, 1)
                    self.assertRegex(str(answer), "^error: .*(unsafe use|malformed)")

    def test_aggregates(self):
        handle = '{"item":"%s/i.json","chip_index_x":0,"chip_index_y":0}' % self.server.url
        for name, more in itertools.product(("stacchip_stack", "stacchip_band_stats"), ("", " FILTER (WHERE 1)")):
            call = "%s('%s')%s" % (name, handle, more)
            for sql in ("CREATE VIEW v AS SELECT {0} AS x", "CREATE VIEW v AS SELECT 1 AS x FROM other GROUP BY a HAVING {0}", "CREATE VIEW v AS SELECT (SELECT {0}) AS x"):
                with self.subTest(call=call, sql=sql):
                    self.assertRegex(str(self.attempt([("view", "v", "v", sql)], call, "SELECT x FROM v", 0, 1)), "^error: .*unsafe use")
            self.assertRegex(str(self.attempt(self.PLACES["CHECK"][0], call, "INSERT INTO t VALUES (1)", 1, 1)), "^error: ")

    def test_tables_that_open_something(self):
        for pattern in self.ARGUMENTS:
            table = pattern.format(url=self.server.url + "/x")
            for entries, sql in (([("view", "v", "v", "CREATE VIEW v AS SELECT count(*) AS x FROM {0}")], "SELECT x FROM v"),
                                 ([("view", "v", "v", "CREATE VIEW v AS SELECT 1 AS x FROM other LEFT JOIN (SELECT 1 FROM {0})")], "SELECT x FROM v"),
                                 ([("view", "v", "v", "CREATE VIEW v AS SELECT EXISTS (SELECT 1 FROM {0}) AS x")], "SELECT x FROM v"),
                                 ([("view", "v", "v", "CREATE VIEW v AS SELECT 1 IN (SELECT 1 FROM {0}) AS x")], "SELECT x FROM v"),
                                 ([("trigger", "r", "other", "CREATE TRIGGER r AFTER INSERT ON other BEGIN INSERT INTO idx(item) SELECT 1 FROM {0}; END")], "INSERT INTO other VALUES (1)")):
                with self.subTest(table=table, sql=sql, entries=entries):
                    self.assertRegex(str(self.attempt(entries, table, sql, 0, 1)), "^error: .*unsafe use")

    def test_procedures_of_spatialite_say_nothing_for_a_view(self):
        for name in ("SqlProc_Execute", "SqlProc_ExecuteLoop"):
            f = self.stranger("p%s.db" % name, ("view", "v", "v", "CREATE VIEW v AS SELECT %s(SqlProc_FromText('SELECT stacchip_config(''timeout_ms'', 4321);')) AS x" % name))
            db = host.connect(f)
            self.refused(db, "SELECT x FROM v", words="no such function")
            self.refused(db, "SELECT %s(1, 2)" % name.replace("Sql", "Stored"), words="no such function")
        self.assertEqual(self.ask(db, "SELECT ST_X(MakePoint(1, 2))"), 1)

    def test_an_attached_schema(self):
        f = self.stranger("a.db", ("table", "t", "t", "CREATE TABLE t(a CHECK(stacchip_config('timeout_ms', '4321') IS NOT 'z'))"))
        db = host.connect()
        self.ask(db, "ATTACH ? AS a", f)
        self.refused(db, "INSERT INTO a.t VALUES (1)")
        self.assertNotEqual(self.ask(db, "SELECT stacchip_config('timeout_ms')"), "4321")

    def test_what_the_user_says_directly_and_in_temporary_schema_works(self):
        db = host.connect(self.stranger("own.db"))
        before = self.ask(db, "SELECT stacchip_config('timeout_ms')")
        db.execute("CREATE TEMP VIEW settings AS SELECT stacchip_config('timeout_ms') AS x")
        db.execute("CREATE TEMP TABLE notes(a, b DEFAULT (stacchip_config('timeout_ms')), CHECK(stacchip_config('timeout_ms') IS NOT 'z'))")
        db.execute("CREATE TEMP TRIGGER r AFTER INSERT ON notes BEGIN UPDATE notes SET a = stacchip_config('retries'); END")
        db.execute("CREATE TEMP VIEW things AS SELECT count(*) AS x FROM stacchip_items('%s')" % self.save("c.json", {"type": "FeatureCollection", "features": []}))
        self.assertEqual(self.ask(db, "SELECT x FROM settings"), before)
        db.execute("INSERT INTO notes(a) VALUES (1)")
        self.assertEqual(db.execute("SELECT a, b FROM notes").fetchall(), [("0", before)])
        self.assertEqual(self.ask(db, "SELECT x FROM things"), 0)

    def test_loading_keeps_the_connection_as_it_was(self):
        f = self.stranger("k.db")
        db = sqlite3.connect(f, isolation_level=None)
        db.execute("PRAGMA writable_schema = ON")
        db.execute("CREATE TEMP TABLE mine(a)")
        db.execute("INSERT INTO mine VALUES (7)")
        db.enable_load_extension(True)
        self.assertEqual(db.execute("SELECT load_extension(?), a FROM mine", (host.EXT,)).fetchall(), [(None, 7)])
        self.assertEqual(self.ask(db, "PRAGMA writable_schema"), 1)
        self.assertEqual(self.ask(db, "SELECT a FROM mine"), 7)
        self.assertEqual(self.ask(db, "SELECT count(*) FROM sqlite_master"), 2)

    def test_functions_that_only_compute_may_stand_in_a_schema(self):
        db = host.connect(self.path("pure.db"))
        db.execute("CREATE TABLE t(a, h AS (stacchip_hash(1, a)), CHECK(stacchip_hash(1, a) < 1))")
        db.execute("INSERT INTO t VALUES (1)")
        self.assertEqual(db.execute("SELECT h FROM t").fetchone(), db.execute("SELECT stacchip_hash(1, 1)").fetchone())


LOOKS = ("SELECT name FROM sqlite_master", "SELECT count(*) FROM pragma_table_list", "SELECT name FROM pragma_table_xinfo('t')", "SELECT * FROM v", "EXPLAIN QUERY PLAN SELECT * FROM t",
         "CREATE INDEX i ON other(a)", "ALTER TABLE other RENAME COLUMN a TO b", "CREATE TABLE copy AS SELECT * FROM v", "PRAGMA integrity_check", "ANALYZE", "VACUUM", "DROP TABLE t")


class DeclaredTables(Access):
    """A table of a Parquet file opens it only when its rows are asked for by the user's own statement."""

    def declare(self, name, path, *more):
        return self.stranger(name, ("table", "t", "t", "CREATE VIRTUAL TABLE t USING stacchip_parquet('%s')" % path), ("view", "v", "v", "CREATE VIEW v AS SELECT * FROM t"), *more)

    def parquet(self):
        db = host.connect()
        db.execute("CREATE TABLE src AS SELECT 'c' AS chipid, 's2' AS platform, 'i' AS item, '2024-01-01' AS date, 1 AS chip_index_x, 2 AS chip_index_y, 0.5 AS cloud_cover_percentage, 0.25 AS nodata_percentage,"
                   " BuildMbr(0, 0, 1, 1, 4326) AS geometry")
        db.execute("SELECT stacchip_export('src', ?)", (self.path("own.parquet"),))
        return self.path("own.parquet")

    def test_looking_at_a_strangers_schema_opens_nothing(self):
        for path, stored, trusted in itertools.product((self.server.url + "/a.parquet", self.path("pipe")), (None, '[["a","TEXT"]]', '[["a' + "'" + '\\"","x) --"],["b","INTEGER",1]]', "[[1]]", "[" * 3000), (0, 1)):
            if trusted and stored:
                continue
            f = self.declare("l%d.db" % len(os.listdir(self.folder)), path)
            if stored:
                x = sqlite3.connect(f)
                x.execute("CREATE TABLE t_columns(id INTEGER PRIMARY KEY, columns BLOB)")
                x.execute("INSERT INTO t_columns VALUES (1, CAST(? AS BLOB))", (stored,))
                x.commit()
                x.close()
            if not os.path.exists(self.path("pipe")):
                os.mkfifo(self.path("pipe"))
            for sql in LOOKS:
                db = host.connect(f)
                db.execute("PRAGMA trusted_schema = %d" % trusted)
                with self.subTest(path=path, stored=stored, trusted=trusted, sql=sql):
                    answer = self.ask(db, sql)
                    if sql.startswith(("SELECT * FROM v", "CREATE TABLE")):
                        self.assertIn("unsafe use", str(answer))
                    elif "t" in sql.split() or "pragma" in sql:
                        self.assertNotIn("error:", str(answer))
                    self.assertEqual(self.server.requests, [])
                db.close()

    def test_what_stands_in_the_place_of_stored_columns_is_not_run(self):
        for more in (("view", "t_columns", "t_columns", "CREATE VIEW t_columns AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) AS columns, 1 AS id FROM r"),
                     ("table", "t_columns", "t_columns", "CREATE VIRTUAL TABLE t_columns USING stacchip_parquet('%s/b.parquet')" % self.server.url)):
            db = host.connect(self.declare("p%d.db" % len(os.listdir(self.folder)), self.server.url + "/a.parquet", more))
            self.assertNotIn("error:", str(self.ask(db, "SELECT count(*) FROM pragma_table_list")))
            self.refused(db, "SELECT * FROM t", words="are not stored in t_columns")
            self.assertEqual(self.server.requests, [])

    def test_the_users_own_table(self):
        own = self.parquet()
        for schema in ("main", "temp"):
            f = self.path(schema + ".db")
            db = host.connect(f)
            for head in ("CREATE VIRTUAL TABLE %s.t", " -- of mine\n create /* a */ virtual\n table if not exists %s.\"t\""):
                db.execute((head + " USING stacchip_parquet('%s')") % (schema, own))
                self.assertEqual(db.execute("SELECT chipid, chip_index_x FROM t WHERE platform = 's2'").fetchall(), [("c", 1)])
                if schema == "main":
                    db = host.connect(f)
                    self.assertEqual(db.execute("SELECT * FROM t").fetchone()[:8], ("c", "s2", "i", "2024-01-01", 1, 2, 0.5, 0.25))
                    self.refused(host.connect(f), "UPDATE t_columns SET columns = 1 WHERE (SELECT 1 FROM nothing)")
                db.execute("DROP TABLE t")
                self.assertEqual(self.ask(db, "SELECT count(*) FROM %s.sqlite_master" % schema), 0)

    def test_a_file_that_is_gone_or_another(self):
        own = self.parquet()
        db = host.connect(self.path("m.db"))
        db.execute("CREATE VIRTUAL TABLE t USING stacchip_parquet('%s')" % own)
        db.close()
        x = sqlite3.connect(self.path("m.db"))
        x.execute("UPDATE t_columns SET columns = CAST(replace(columns, 'chipid', 'other') AS BLOB)")
        x.commit()
        self.refused(host.connect(self.path("m.db")), "SELECT * FROM t", words="no longer those that the table was made of")
        os.remove(own)
        db = host.connect(self.path("m.db"))
        self.assertGreaterEqual(self.ask(db, "SELECT count(*) FROM pragma_table_info('t')"), 9)
        self.refused(db, "SELECT * FROM t", words="No such file")
        db.execute("DROP TABLE t")
        self.assertEqual(self.ask(db, "SELECT count(*) FROM sqlite_master WHERE name LIKE 't%'"), 0)

    def test_tables_of_a_merged_index_that_lead_elsewhere(self):
        for name in ("config", "item", "chip", "block", "asset", "error", "area"):
            f = self.path("i_%s.db" % name)
            db = host.connect(f)
            db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
            db.close()
            x = sqlite3.connect(f)
            x.execute("PRAGMA writable_schema = ON")
            x.execute("DELETE FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", ("chips_" + name,))
            for sql in ("CREATE VIRTUAL TABLE chips_%s USING stacchip_parquet('%s/a.parquet')", "CREATE VIRTUAL TABLE chips_%s USING stacchip_parquet('%s/using rtree(')"):
                x.execute("UPDATE sqlite_master SET sql = ?, rootpage = 0 WHERE name = ?", (sql % (name, self.server.url), "chips_" + name))
                x.commit()
                for statement in ("SELECT count(*) FROM chips", "SELECT row, item_json FROM chips", "DELETE FROM chips"):
                    with self.subTest(name=name, sql=sql, statement=statement):
                        self.refused(host.connect(f), statement, words="was not made by stacchip")
            x.close()
        self.assertEqual(self.server.requests, [])


class NestedStatements(Access):
    """Modules and functions that run SQL of their own: what a stranger's schema has them say is not what the user says."""

    def database(self, *statements):
        """Made by a program that has functions of our names, which do nothing."""
        f = self.path("n%d.db" % len(os.listdir(self.folder)))
        db = sqlite3.connect(f, isolation_level=None)
        for name in ("item_info", "chip", "chip_info", "row_export", "config", "platform_drop"):
            db.create_function("stacchip_" + name, 1, lambda value: value)
        db.execute("CREATE TABLE other(a)")
        for sql in statements:
            db.execute(sql)
        db.close()
        return f

    def module(self, name):
        if not host.connect().execute("SELECT 1 FROM pragma_module_list WHERE name LIKE ?", (name,)).fetchone():
            self.skipTest("no " + name)

    def test_functions_that_fts4_calls(self):
        self.module("fts4")
        url = self.server.url + "/i.json"
        handle = json.dumps({"item": url, "chip_index_x": 0, "chip_index_y": 0})
        for name, argument in (("item_info", url), ("chip", handle), ("chip_info", handle), ("row_export", handle), ("platform_drop", "naip"), ("config", "retries")):
            f = self.database("CREATE VIRTUAL TABLE f USING fts4(x, compress=stacchip_{0}, uncompress=stacchip_{0})".format(name), "INSERT INTO f VALUES ('%s')" % argument,
                              "CREATE VIEW v AS SELECT x FROM f", "CREATE VIEW later AS SELECT 1 AS x UNION ALL SELECT x FROM f",
                              "CREATE TRIGGER r AFTER INSERT ON other BEGIN INSERT INTO f VALUES ('%s'); END" % argument)
            db = host.connect(f)
            rules = self.ask(db, "SELECT group_concat(name) FROM stacchip_platform")
            for sql in ("SELECT x FROM v", "SELECT x FROM f", "INSERT INTO other VALUES (1)"):
                with self.subTest(name=name, sql=sql):
                    self.refused(db, sql)
            with self.subTest(name=name, sql="later rows"), self.assertRaises(sqlite3.Error):
                db.execute("SELECT x FROM later").fetchall()
            self.assertEqual(rules, self.ask(db, "SELECT group_concat(name) FROM stacchip_platform"))
        self.assertEqual(self.server.requests, [])

    def declared(self, table, path):
        """A database whose table t was declared over a file that was there, and what reads t by name."""
        f = self.database()
        db = host.connect(f)
        db.execute("CREATE TEMP TABLE src AS SELECT 'text' AS chipid, 1 AS chip_index_x, 2 AS chip_index_y, 3.0 AS cloud_cover_percentage, 4.0 AS nodata_percentage")
        db.execute("SELECT stacchip_export('temp.src', ?, '{\"columns\": [\"chipid\", \"chip_index_x\", \"chip_index_y\", \"cloud_cover_percentage\", \"nodata_percentage\"]}')", (path,)).fetchall()
        db.execute("CREATE VIRTUAL TABLE t USING stacchip_parquet('%s')" % path)
        db.execute(table)
        db.execute("CREATE VIEW v AS SELECT * FROM f")
        db.execute("CREATE TRIGGER r AFTER INSERT ON other BEGIN INSERT INTO other SELECT count(*) FROM f; END")
        return db

    def test_tables_that_read_a_table_by_its_name(self):
        for module, table, sqls in (("fts5", "CREATE VIRTUAL TABLE f USING fts5(chipid, content='t', content_rowid='chip_index_x')", ("SELECT * FROM v", "SELECT chipid FROM f", "INSERT INTO f(f) VALUES ('rebuild')", "SELECT chipid FROM f WHERE rowid = 1", "INSERT INTO other VALUES (1)")),
                                    ("fts4", "CREATE VIRTUAL TABLE f USING fts4(chipid, content='t')", ("SELECT * FROM v", "SELECT chipid FROM f", "INSERT INTO f(f) VALUES ('rebuild')")),
                                    ("VirtualBBox", "CREATE VIRTUAL TABLE f USING VirtualBBox(t, chip_index_x, chip_index_y, cloud_cover_percentage, nodata_percentage, 4326, chipid)", ("SELECT * FROM v", "SELECT * FROM f WHERE chipid = 'text'"))):
            with self.subTest(module=module):
                self.module(module)
                path = self.path("%s.parquet" % module)
                try:
                    db = self.declared(table, path)
                except sqlite3.Error as e:
                    self.assertNotEqual(module, "fts5", e)
                    continue
                os.remove(path)
                os.mkfifo(path)  # opening it would hang, or fail as a pipe
                for sql in sqls:
                    answer = self.ask(db, sql)
                    self.assertNotIn("regular file", str(answer), sql)
                self.refused(db, "SELECT chipid FROM t", words="regular file")

    def test_a_function_of_the_host_that_runs_sql(self):
        """It cannot be told from a module's statement: a view may call it."""
        db = host.connect()
        db.create_function("run", 1, lambda sql: str(db.execute(sql).fetchone()[0]))
        self.assertEqual(self.ask(db, "SELECT run('SELECT stacchip_version()')"), self.ask(db, "SELECT stacchip_version()"))
        errors = []
        db.create_function("told", 1, lambda sql: errors.append(self.ask(db, sql)))
        for sql in ("SELECT stacchip_config('retries')", "SELECT * FROM stacchip_items('%s')" % self.folder, "SELECT stacchip_item_info('%s/i.json')" % self.server.url):
            db.execute("SELECT told(?) FROM json_each('[1, 2, 3]')", (sql,)).fetchall()
            self.assertEqual(len(errors), 3)  # newer releases of SQLite show the row before while they make the next
            while errors:
                self.assertIn("from inside another statement", errors.pop())
        self.assertEqual(self.server.requests, [])

    def test_what_the_user_says_while_rows_are_read_works(self):
        folder = self.save("empty.json", {"type": "FeatureCollection", "features": []})
        db = host.connect()
        db.execute("CREATE TABLE names(n)")
        db.executemany("INSERT INTO names VALUES (?)", [("retries",), ("timeout_ms",)])
        for (name,) in db.execute("SELECT n FROM names"):
            for (again,) in db.execute("SELECT n FROM names WHERE stacchip_config(n) IS NOT NULL"):
                self.assertNotIn("error", str(self.ask(db, "SELECT stacchip_config(?)", again)))
                self.assertEqual(self.ask(db, "SELECT count(*) FROM stacchip_items(?)", folder), 0)
        db.executemany("INSERT INTO names VALUES (stacchip_config(?))", ((n,) for (n,) in db.execute("SELECT n FROM names LIMIT 2")))
        self.assertEqual(self.ask(db, "SELECT count(*) FROM names"), 4)

    def test_what_our_functions_run_for_the_user(self):
        db = host.connect()
        db.execute("CREATE TEMP VIEW answers AS SELECT 'c' AS chipid, stacchip_config('retries') AS item, (SELECT count(*) FROM stacchip_items('%s')) AS chip_index_x, 1 AS chip_index_y"
                   % self.save("empty.json", {"type": "FeatureCollection", "features": []}))
        self.assertEqual(self.ask(db, "SELECT stacchip_export('answers', ?, '{\"columns\": [\"chipid\", \"item\", \"chip_index_x\", \"chip_index_y\"]}')", self.path("a.parquet")), 1)
        self.assertEqual(db.execute("SELECT item, chip_index_x FROM stacchip_parquet(?)", (self.path("a.parquet"),)).fetchall(), [("0", 0)])
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge()")
        asked = self.ask(db, "SELECT stacchip_merge_items('chips', 'SELECT value FROM stacchip_items(''%s'') JOIN json_each(json_array(stacchip_config(''retries'')))')" % self.path("empty.json"))
        self.assertEqual(json.loads(asked), {"merged": 0, "skipped": 0, "failed": 0})
        self.refused(db, "SELECT stacchip_export('missing', 'x.parquet')")
        self.assertNotIn("error", str(self.ask(db, "SELECT stacchip_config('retries')")))  # nothing is left behind


AUTO = """
import ctypes, sqlite3, sys
ext = ctypes.CDLL(sys.argv[1] + ".so", mode=ctypes.RTLD_GLOBAL)
lib = ctypes.CDLL("libsqlite3.so.0", mode=ctypes.RTLD_GLOBAL)
NAME, N, ENC, FLAGS = ctypes.c_char_p, ctypes.c_int, 1, 0
FUNC = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
ran = []
impl = FUNC(lambda c, n, v: ran.append(1))
INIT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
lib.sqlite3_create_function.argtypes = [ctypes.c_void_p, NAME, N, N, ctypes.c_void_p, FUNC, ctypes.c_void_p, ctypes.c_void_p]
init = INIT(lambda db, message, api: lib.sqlite3_create_function(db, b"of_the_host", 0, 1, None, impl, None, None))
lib.sqlite3_auto_extension.argtypes = [ctypes.c_void_p]
lib.sqlite3_auto_extension(ctypes.cast(init, ctypes.c_void_p))
lib.sqlite3_auto_extension(ctypes.cast(ext.sqlite3_stacchip_init, ctypes.c_void_p))
db = sqlite3.connect(":memory:", isolation_level=None)
def ask(sql, *args):
    try: return db.execute(sql, args).fetchone()[0]
    except sqlite3.Error as e: return "error: %s" % e
print(ask("SELECT of_the_host()"), len(ran), ask("SELECT stacchip_config('retries', 3)"))
for call in ("of_the_host()", "stacchip_config('retries', '77')", "stacchip_hash(1, 2)", "spatialite_version()", "ST_X(MakePoint(1, 2))"):
    print(ask("SELECT stacchip_platform_set('r', json_object('cloud', ?))", "v = 1 OR %s IS NULL" % call))
print(len(ran), ask("SELECT stacchip_config('retries')"))
"""


class Rules(Access):
    """The expressions of rules, which a database may bring with it, see SQLite's own pure functions and nothing else."""

    def rule(self, db, expression):
        return self.ask(db, "SELECT stacchip_platform_set('mine', json_object('cloud', ?))", expression)

    def test_only_listed_functions_and_tables(self):
        db = host.connect()
        for e in ("load_extension('x')", "random()", "randomblob(9)", "last_insert_rowid()", "sqlite_version()", "changes()", "stacchip_hash(1, v)",
                  "(SELECT count(*) FROM rule)", "(SELECT json FROM rule)", "(SELECT count(*) FROM sqlite_master)", "(SELECT 1 FROM sqlite_temp_master)",
                  "(SELECT file FROM pragma_database_list)", "(SELECT count(*) FROM pragma_function_list)", "(SELECT 1 FROM dbstat)", "(SELECT 1 FROM bytecode('SELECT 1'))",
                  "1) FROM (SELECT 1 AS v, 2 AS nd); DROP TABLE rule; --", "(SELECT 1 FROM stacchip_items('x'))", "(DELETE FROM rule)"):
            with self.subTest(e):
                self.assertRegex(str(self.rule(db, e)), "^error: ")
        self.assertIn("naip", self.ask(db, "SELECT group_concat(name) FROM stacchip_platform"))

    def test_pure_ones_work(self):
        db = host.connect()
        for e in ("v IN (1, 3)", "abs(v) > 2 AND nd IS NOT 1", "coalesce(v, 0) & 6", "EXISTS (SELECT 1 FROM json_each('[1,2]') WHERE value = v)",
                  "(WITH t(x) AS (SELECT v UNION ALL SELECT x + 1 FROM t WHERE x < 3) SELECT max(x) FROM t) = 3", "'[1]' ->> 0 = v", "v BETWEEN 1 AND min(3, v)",
                  "CAST(v AS TEXT) LIKE '1%' OR v GLOB '2*'", "round(v / 2.0) = 1"):
            with self.subTest(e):
                self.assertNotRegex(str(self.rule(db, e)), "^error: ")

    def test_a_host_that_registers_us_for_every_connection(self):
        r = subprocess.run([sys.executable, "-c", AUTO, host.EXT], capture_output=True, text=True)
        lines = r.stdout.splitlines()
        self.assertEqual(lines[0], "None 1 3", r.stderr)
        for line in lines[1:-1]:
            self.assertRegex(line, "^error: .*(not authorized|no such function)")
        self.assertEqual((lines[-1], r.returncode), ("1 3", 0), r.stderr)


SPELLINGS = ("http://169.254.169.254/x", "http://2852039166/x", "http://0xa9fea9fe/x", "http://0251.0376.0251.0376/x", "http://169.254.43518/x",
             "http://169.254.169.254./x", "http://169.254.170.2/x", "http://[::ffff:169.254.169.254]/x", "http://[::ffff:a9fe:a9fe]/x",
             "http://[64:ff9b::169.254.169.254]/x", "http://[2002:a9fe:a9fe::1]/x", "http://[2001::5601:5601]/x", "http://[fe80::1]/x",
             "http://[fe80::1%25lo]/x", "http://[fd00:ec2::254]/x", "http://[fd00:ec2::23]/x", "http://[fd20:ce::254]/x", "http://100.100.100.200/x",
             "http://168.63.129.16/x", "http://192.0.0.192/x", "http://metadata.google.internal/x", "http://METADATA.google.internal./x", "http://metadata/x",
             "http://instance-data/x", "http://7147006462/x", "http://user:pw@169.254.169.254/x", "http://localhost%2f@169.254.169.254/x",
             "http://localhost\\@169.254.169.254/x", "http://169.254.169.254#@localhost/x", "http://169.254.169.254?@localhost/x",
             "http://\uff11\uff16\uff19.254.169.254/x", "http://169\u3002254\u3002169\u3002254/x", "http://%31%36%39.254.169.254/x", "http:///169.254.169.254/x")

LOOK = """
import sys; sys.path.insert(0, %r)
import host, json
db = host.connect()
out = []
for url in json.loads(sys.argv[1]):
    try: out.append(db.execute("SELECT count(*) FROM stacchip_index(?)", (url,)).fetchone())
    except Exception as e: out.append("error: %%s" %% e)
print(json.dumps(out))
""" % os.path.join(host.ROOT, "tests", "support")


class Addresses(Access):
    """Metadata services and link-local addresses are not reached, however they are spelled or wrapped."""

    NAMES = {"evil.test": "169.254.169.254", "six.test": "fd00:ec2::254", "mapped.test": "::ffff:169.254.169.254", "nat64.test": "64:ff9b::a9fe:a9fe",
             "wire.test": "168.63.129.16", "both.test": "127.0.0.1,169.254.169.254", "good.test": "127.0.0.1"}

    def look(self, urls, **env):
        """The errors of a new process that has the tests' resolver."""
        names = ";".join("%s=%s" % n for n in self.NAMES.items())
        preload = (os.environ.get("LD_PRELOAD", "") + " " + os.path.join(host.HELPERS, "resolver.so")).strip()
        r = subprocess.run([sys.executable, "-c", LOOK, json.dumps(urls)], capture_output=True, text=True, timeout=120,
                           env={**os.environ, "TEST_NAMES": names, "LD_PRELOAD": preload, **env})
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def test_every_spelling_direct_and_by_proxy(self):
        for env in ({}, {"http_proxy": self.server.url, "https_proxy": self.server.url}, {"all_proxy": self.server.url}):
            for url, answer in zip(SPELLINGS, self.look(SPELLINGS, **env)):
                with self.subTest(url=url, env=env):
                    self.assertRegex(str(answer), "^error: .*(not allowed|plain ASCII|scheme|no such|link-local)")
        self.assertEqual(self.server.requests, [])

    def test_each_resolved_address(self):
        urls = ["http://%s:%d/x" % (n, self.server.port) for n in ("evil.test", "six.test", "mapped.test", "nat64.test", "wire.test")]
        for patterns in ("", "*.test"):
            for url, answer in zip(urls, self.look(urls, STACCHIP_HOSTS=patterns)):
                with self.subTest(url=url, patterns=patterns):
                    self.assertRegex(answer, "^error: .*link-local or metadata address")
        self.assertEqual(self.server.requests, [])
        # one of two is good: that one is used, and the resolver of this test is the one that is asked
        answers = self.look(["http://%s:%d/x" % (n, self.server.port) for n in ("good.test", "both.test", "nowhere.test")])
        self.assertIn("404", answers[0])
        self.assertIn("404", answers[1])
        self.assertNotIn("404", answers[2])
        self.assertEqual(len(self.server.requests), 2)

    def socks(self, asked):
        """A SOCKS server that notes what it is asked to reach and reaches nothing."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.settimeout(5)
                    hello = peer.recv(400)
                    if hello[:1] == b"\x05":
                        peer.sendall(b"\x05\x00")
                        hello = peer.recv(400)
                        peer.sendall(b"\x05\x04\x00\x01\0\0\0\0\0\0")
                        asked.append(socket.inet_ntoa(hello[4:8]) if hello[3:4] == b"\x01" else hello[5:-2].decode())
                    elif hello[:1] == b"\x04":
                        asked.append(hello[8:].split(b"\0")[1].decode() if hello[4:7] == b"\0\0\0" else socket.inet_ntoa(hello[4:8]))
                        peer.sendall(b"\0\x5b" + bytes(6))
        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def test_socks_proxies(self):
        """They resolve names, as every proxy does: what a name leads to is theirs to judge, and no address of ours is handed to them."""
        asked = []
        port = self.socks(asked)
        for scheme in ("socks5h", "socks4a", "socks5", "socks4", "SOCKS5", "socks"):
            env = {"all_proxy": "%s://127.0.0.1:%d" % (scheme, port)}
            for url, answer in zip(SPELLINGS, self.look(SPELLINGS, **env)):
                with self.subTest(url=url, scheme=scheme):
                    self.assertRegex(str(answer), "^error: .*(not allowed|plain ASCII|scheme|no such|link-local)")
            self.assertEqual(asked, [])
            self.look(["http://evil.test/x", "http://good.test/x"], **env)
            self.assertNotIn("169.254.169.254", asked, scheme)
            self.assertIn("good.test", asked, scheme)
            asked.clear()

    def test_after_a_redirect(self):
        targets = [u for u in SPELLINGS if u.isascii()] + ["http://evil.test/x", "http://six.test/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/x"]
        self.server.fault = lambda h: lambda h: h.answer(302, Location=targets[int(h.path[1:])])
        urls = ["%s/%d" % (self.server.url, i) for i in range(len(targets))]
        for target, answer in zip(targets, self.look(urls)):
            with self.subTest(target):
                self.assertRegex(answer, "^error: ")
        self.assertEqual(len(self.server.requests), len(targets))

    def test_a_pattern_may_name_an_address(self):
        answer, = self.look(["http://169.254.169.254/x"], STACCHIP_HOSTS="169.254.169.254", http_proxy=self.server.url)
        self.assertIn("404", answer)
        self.assertEqual([r[1] for r in self.server.requests], ["http://169.254.169.254/x"])

    def test_hosts_narrow_all_that_is_asked(self):
        db = host.connect()
        before = self.ask(db, "SELECT stacchip_config('hosts')")
        try:
            db.execute("SELECT stacchip_config('hosts', '*.example.com')")
            for table in ("stacchip_index('{}')", "stacchip_items('{}')", "stacchip_search('{}', '{{}}')", "stacchip_parquet('{}')"):
                self.refused(db, "SELECT count(*) FROM " + table.format(self.server.url + "/x"), words="not allowed")
            for call in ("stacchip_item_info('{}')", "stacchip_chip('{{\"item\":\"{}\",\"chip_index_x\":0,\"chip_index_y\":0}}')"):
                self.refused(db, "SELECT " + call.format(self.server.url + "/x"), words="not allowed")
        finally:
            db.execute("SELECT stacchip_config('hosts', ?)", (before,))
        self.assertEqual(self.server.requests, [])


class Credentials(Access):
    """Keys, tokens and headers go to whom they are for (tests/unit/test_raster_sign.c has the names and accounts)."""

    KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "SESSIONTOKEN", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "NO",
            "AZURE_STORAGE_ACCOUNT": "mine", "AZURE_STORAGE_SAS_TOKEN": "sig=SASTOKEN", "STACCHIP_PC_SIGN": "NO", "HOME": "/nonexistent"}

    def http(self, url, **env):
        r = subprocess.run([os.path.join(host.HELPERS, "http_ask"), "GET", url], capture_output=True, timeout=60,
                           env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **self.KEYS, **env})
        return r.stdout

    def leaked(self, server):
        return [r for r in server.requests if any(w in str(r) for w in ("SESSIONTOKEN", "SASTOKEN", "AKIAEXAMPLE", "Authorization", "user:", "dXNlcjp"))]

    def test_a_redirect_carries_none(self):
        other = web.Scripted()
        self.addCleanup(other.close)
        for status in (301, 302, 303, 307, 308):
            self.server.clear(), other.clear()
            self.server.fault = lambda h: lambda h: h.answer(status, Location="http://127.0.0.1:%d/taken" % other.port)
            endpoint = {"AWS_S3_ENDPOINT": "127.0.0.1:%d" % self.server.port,
                        "AZURE_STORAGE_CONNECTION_STRING": "AccountName=mine;BlobEndpoint=%s/mine;SharedAccessSignature=sig=SASTOKEN" % self.server.url}
            for url in ("s3://bucket/a", "az://box/a", "http://user:pw@127.0.0.1:%d/a" % self.server.port):
                self.http(url, **endpoint)
            self.assertEqual((len(self.server.requests), len(other.requests)), (3, 3))
            self.assertEqual((len(self.leaked(self.server)), self.leaked(other)), (3, []))

    def test_a_search_hands_its_headers_to_its_own_server_only(self):
        other = web.Scripted()
        self.addCleanup(other.close)
        self.server.fault = lambda h: lambda h: h.answer(307, Location="http://127.0.0.1:%d/search" % other.port)
        self.refused(host.connect(), "SELECT count(*) FROM stacchip_search(?, '{}', ?)", self.server.url, '{"headers": {"Authorization": "Bearer user:SESSIONTOKEN"}}')
        self.assertTrue(self.leaked(self.server))
        self.assertEqual(self.leaked(other), [])

    def test_names_in_items_that_are_no_names(self):
        names = ("localhost:%d?" % self.server.port, "2130706433:%d#" % self.server.port, "127.0.0.1:%d" % self.server.port, "x@127.0.0.1:%d" % self.server.port, "127.0.0.1:%d\\" % self.server.port)
        env = dict(self.KEYS, STACCHIP_RETRIES="0", CPL_GS_ENDPOINT="http://", http_proxy=self.server.url, https_proxy=self.server.url)
        for scheme, name in itertools.product(("s3", "gs", "az", "abfs", "abfss"), names):
            answer = web.cold(":memory:", ["SELECT count(*) FROM stacchip_index(?)", ["%s://%s/x.json" % (scheme, name)]], env=env, check=False)
            self.assertRegex(str(answer), "not a bucket name|not az://", (scheme, name))
        self.assertEqual(self.server.requests, [])


ONE_PIXEL = """<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS><GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>
<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="0">%s</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


class LocalFiles(Access):
    """Local files are opened by the rules only, whoever names them; pipes and devices are not opened at all."""

    def setUp(self):
        super().setUp()
        self.inside, self.outside = self.path("in"), self.path("out")
        for f in (self.inside, self.outside):
            os.mkdir(f)
            shutil.copyfile(self.tif(), os.path.join(f, "a.tif"))
            with open(os.path.join(f, "item.json"), "w") as out:
                json.dump(self.item("./a.tif"), out)
        self.db = host.connect()
        self.db.execute("SELECT stacchip_platform_set('test', json_object('match', ?, 'mask', 'red', 'cloud', '0', 'nodata', 'nd', 'assets', json_array('red')))", ("id = 'i'",))
        self.addCleanup(self.db.execute, "SELECT stacchip_config('local_roots', '')")

    def tif(self):
        folder = os.path.join(host.ROOT, "build", "scenes", "landsat-threads")
        return os.path.join(folder, sorted(n for n in os.listdir(folder) if n.endswith(".tif"))[0])

    def item(self, href, **asset):
        return {"type": "Feature", "stac_version": "1.0.0", "id": "i", "geometry": None, "links": [], "properties": {"datetime": "2024-01-01T00:00:00Z"},
                "assets": {"red": dict({"href": href, "type": "image/tiff"}, **asset)}}

    def roots(self, value):
        self.db.execute("SELECT stacchip_config('local_roots', ?)", (value,))

    def statements(self, folder):
        """Everything that opens a local path, as (sql, arguments)."""
        item = os.path.join(folder, "item.json")
        handle = json.dumps({"item": item, "chip_index_x": 0, "chip_index_y": 0})
        none = '{"platform":"none"}'
        return [("SELECT count(*) FROM stacchip_index(?, ?)", (item, none)), ("SELECT count(*) FROM stacchip_index(?, ?)", (os.path.join(folder, "a.tif"), none)),
                ("SELECT count(*) FROM stacchip_index(?, ?)", (json.dumps(self.item(os.path.join(folder, "a.tif"))), none)),
                ("SELECT count(*) FROM stacchip_index(?, ?)", (json.dumps(self.item("file://" + os.path.join(folder, "a.tif"))), none)),
                ("SELECT count(*) FROM stacchip_index(?, ?)", (os.path.join(self.inside, "..", os.path.basename(folder), "item.json"), none)),
                ("SELECT stacchip_item_info(?)", (item,)), ("SELECT stacchip_chip(?, '{\"assets\":[\"red\"]}')", (handle,)),
                ("SELECT stacchip_chip_info(?, '{\"assets\":[\"red\"]}')", (handle,)), ("SELECT stacchip_row_export(?)", (handle,)),
                ("SELECT count(*) FROM stacchip_items(?)", (folder,)), ("SELECT count(*) FROM stacchip_items(?)", (os.path.join(folder, "*.json"),)),
                ("SELECT count(*) FROM stacchip_parquet(?)", (os.path.join(folder, "i.parquet"),)), ("SELECT count(*) FROM stacchip_parquet(?)", (folder,)),
                ("SELECT count(*) FROM stacchip_parquet(?)", (os.path.join(folder, "*.parquet"),)),
                ("SELECT stacchip_export('idx', ?)", (os.path.join(folder, "new.parquet"),)), ("SELECT stacchip_export('idx', ?, '{\"partition_by\":[\"item\"]}')", (os.path.join(folder, "tree"),))]

    def test_roots(self):
        self.db.execute("CREATE TABLE idx AS SELECT * FROM stacchip_index(?, '{\"platform\":\"none\"}')", (os.path.join(self.inside, "item.json"),))
        for f in (self.inside, self.outside):
            self.db.execute("SELECT stacchip_export('idx', ?)", (os.path.join(f, "i.parquet"),))
        os.symlink(self.outside, os.path.join(self.inside, "way_out"))
        for sql, args in self.statements(self.outside) + self.statements(os.path.join(self.inside, "way_out")) + self.statements("/proc/self/root" + self.outside):
            for rule in (self.inside, "deny", "/nowhere:" + self.inside):
                self.roots(rule)
                with self.subTest(sql=sql, args=args, rule=rule):
                    self.refused(self.db, sql, *args, words="local files are")
        for rule in (self.inside, "/nowhere:" + self.inside + ":", "allow", ""):
            self.roots(rule)
            for sql, args in self.statements(self.inside):
                with self.subTest(sql=sql, args=args, rule=rule):
                    self.assertNotIn("error:", str(self.ask(self.db, sql, *args)))
            shutil.rmtree(os.path.join(self.inside, "tree"))

    def test_what_lies_outside_is_not_told(self):
        """The same words whether a file is there or not."""
        self.roots(self.inside)
        for sql in ("SELECT count(*) FROM stacchip_index(?)", "SELECT count(*) FROM stacchip_items(?)", "SELECT count(*) FROM stacchip_parquet(?)", "SELECT stacchip_item_info(?)"):
            for pair in (("item.json", "none.json"), ("*.json", "*.none"), ("", "none/")):
                answers = {self.refused(self.db, sql, os.path.join(self.outside, name)).replace(name or "\0", "X").replace("//", "/") for name in pair if name}
                with self.subTest(sql=sql, pair=pair):
                    self.assertEqual(len(answers), 1, answers)
        os.symlink(self.outside, os.path.join(self.inside, "links"))
        self.assertIn("local files are", self.refused(self.db, "SELECT count(*) FROM stacchip_parquet(?)", os.path.join(self.inside, "*", "*.parquet")))

    def test_names_that_are_drivers_or_devices(self):
        for name in ("/vsicurl/http://127.0.0.1:1/x.tif", "/vsizip//tmp/x.zip/x.tif", "/vsimem/x", "/vsistdin/", "/vsitar/x", "/./vsicurl/x", "/x/../vsicurl/x", "//vsicurl/x",
                     "GTIFF_DIR:1:" + self.tif(), "NETCDF:x", "<VRTDataset/>", "/dev/zero", "/dev/stdin", "/proc/self/fd/0", "/proc/self/mem", "vsicurl://x", "ftp://127.0.0.1/x",
                     "gopher://127.0.0.1/", "dict://127.0.0.1/", "data:text/plain,x", "file://host/x", "file:////vsicurl/x", "file:///%76sicurl/x", "javascript:x"):
            for sql, arg in (("SELECT count(*) FROM stacchip_index(?)", name), ("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", json.dumps(self.item(name))),
                             ("SELECT count(*) FROM stacchip_items(?)", name), ("SELECT count(*) FROM stacchip_parquet(?)", name)):
                with self.subTest(sql=sql, name=name):
                    self.refused(self.db, sql, arg)

    def test_pipes_do_not_hang(self):
        os.mkfifo(self.path("pipe.json"))
        os.mkfifo(self.path("pipe.tif"))
        os.mkfifo(self.path("pipe.parquet"))
        os.symlink(self.path("pipe.tif"), self.path("link.tif"))
        for sql, arg in (("SELECT count(*) FROM stacchip_index(?)", self.path("pipe.json")), ("SELECT count(*) FROM stacchip_index(?)", self.path("pipe.tif")),
                         ("SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", json.dumps(self.item(self.path("link.tif")))),
                         ("SELECT count(*) FROM stacchip_items(?)", self.path("pipe.json")), ("SELECT count(*) FROM stacchip_parquet(?)", self.path("pipe.parquet"))):
            with self.subTest(sql):
                self.refused(self.db, sql, arg, words="not a regular file")

    def test_rasters_that_name_other_files(self):
        """A VRT by any name, a sidecar of overviews, and an ERDAS header are not followed."""
        secret = os.path.join(self.outside, "a.tif")
        self.save("v.tif", ONE_PIXEL % secret)
        self.save("v.vrt", ONE_PIXEL % secret)
        self.save("v.jp2", ONE_PIXEL % ("/vsicurl/%s/x.tif" % self.server.url))
        for name in ("v.tif", "v.vrt", "v.jp2"):
            self.refused(self.db, "SELECT count(*) FROM stacchip_index(?)", self.path(name))
        shutil.copyfile(self.tif(), self.path("s.tif"))
        self.save("s.tif.ovr", ONE_PIXEL % ("/vsicurl/%s/x.tif" % self.server.url))
        self.save("s.tif.aux.xml", "<PAMDataset><Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>/vsicurl/%s/y.tif</MDI></Metadata></PAMDataset>" % self.server.url)
        self.save("s.tif.msk", ONE_PIXEL % ("/vsicurl/%s/x.tif" % self.server.url))
        self.db.execute("SELECT stacchip_chip(row, '{\"format\":\"png\",\"size\":16}') FROM stacchip_index(?) LIMIT 1", (self.path("s.tif"),)).fetchall()
        self.assertEqual(self.server.requests, [])

    def test_items_of_the_network_name_no_local_file(self):
        a = os.path.join(self.outside, "a.tif")
        for href in (a, "file://" + a, "file://localhost" + a, "/etc/passwd", "../../.." + a):
            self.server.files = {"/i.json": json.dumps(self.item(href)).encode(), "/c.json": json.dumps({"type": "Catalog", "id": "c", "links": [{"rel": "item", "href": href}]}).encode()}
            self.server.fault = lambda h: lambda h: h.json({"type": "FeatureCollection", "features": [self.item(href)]}) if h.command == "POST" else h.plain()
            url = self.server.url
            with self.subTest(href=href):
                self.refused(self.db, "SELECT count(*) FROM stacchip_index(?, '{\"platform\":\"none\"}')", url + "/i.json")
                self.refused(self.db, "SELECT stacchip_chip(json_object('item', ?, 'chip_index_x', 0, 'chip_index_y', 0))", url + "/i.json")
                self.refused(self.db, "SELECT count(*) FROM (SELECT item_json FROM stacchip_search(?, '{}')) s, stacchip_index(s.item_json, '{\"platform\":\"none\"}')", url)
                self.refused(self.db, "SELECT count(*) FROM (SELECT item_json FROM stacchip_items(?)) s, stacchip_index(s.item_json, '{\"platform\":\"none\"}')", url + "/i.json")
                got = self.ask(self.db, "SELECT count(*) FROM stacchip_items(?) WHERE error IS NULL", url + "/c.json")
                self.assertTrue(got == 0 or "error:" in str(got), got)

    # --- the program ---

    def run_program(self, system, item_of, files=(), env=(), bucket=None):
        """A processor against a catalogue whose items are item_of(collection, datetime); (exit code, stderr, all that is in the bucket)."""
        def answer(h):
            if not h.path.endswith("/search"):
                return None
            q = json.loads(h.body)
            item = item_of(q["collections"][0], q["datetime"][:10] + "T01:00:00Z")
            return lambda h: h.json({"type": "FeatureCollection", "links": [], "features": [item]})
        self.server.files, self.server.fault = dict(files), answer
        bucket = bucket or tempfile.mkdtemp(dir=self.folder)
        sample = self.save("p.geojson", {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [-75, 45]}}]})
        where = [] if system == "modis" else ["--sample-source", sample]
        r = subprocess.run([PROGRAM, system, "--row", "0", *where, "--bucket", bucket, "--stac-api", self.server.url], capture_output=True, text=True, timeout=60,
                           env={**os.environ, "HOME": "/nonexistent", **dict(env)})
        return r.returncode, r.stderr, {n: open(os.path.join(d, n), "rb").read() for d, _, names in os.walk(bucket) for n in names}

    def scene(self, collection, when, keys, href, **asset):
        grid = {"proj:epsg": 32618, "proj:shape": [512, 512], "proj:transform": [30, 0, 500000, 0, -30, 5000000]}
        assets = {k: dict(grid, href=href, type="image/tiff", **asset) for k in keys}
        return {"type": "Feature", "stac_version": "1.0.0", "id": "x", "collection": collection, "geometry": None, "properties": {"datetime": when, "eo:cloud_cover": 1, "end_datetime": when}, "assets": assets}

    def test_processors_copy_no_local_file_of_an_answer(self):
        secret = self.save("secret.txt", "local secret")
        os.mkfifo(self.path("pipe"))
        for target, local in itertools.product((secret, "file://" + secret, self.path("pipe"), "/vsicurl/" + self.server.url, "../secret.txt"), ("allow", "deny")):
            for places in ({"href": target}, {"href": self.server.url + "/x.tif", "alternate": {"s3": {"href": target}}}):
                with self.subTest(target=target, local=local, places=places):
                    code, said, there = self.run_program("landsat", lambda c, d: self.scene(c, d, ("blue", "qa_pixel"), **places), {"/x.tif": b"x"}, {"STACCHIP_LOCAL": local})
                    self.assertEqual(code, 1, said)
                    self.assertNotIn("secret.txt", there)
                    self.assertFalse(any(b"local secret" in v for v in there.values()))

    def test_layers_of_the_program(self):
        """The access rules hold for them, and no driver follows what a layer names."""
        good = self.save("good.geojson", {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "20HNJ"}, "geometry": {"type": "Point", "coordinates": [-75, 45]}}]})
        os.mkfifo(self.path("layer"))
        vrt = "<OGRVRTDataSource><OGRVRTLayer name='good'><SrcDataSource>%s</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        xml = self.save("x.gml", "<gml:FeatureCollection xmlns:gml='http://www.opengis.net/gml' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='x %s/x.xsd'/>" % self.server.url)
        self.server.files = {"/good.geojson": open(good, "rb").read(), "/v.vrt": (vrt % good).encode()}
        def run(layer, **env):
            r = subprocess.run([PROGRAM, "naip", "--row", "0", "--sample-source", layer, "--bucket", self.folder, "--stac-api", self.server.url + "/api"], capture_output=True, text=True, timeout=60, env={**os.environ, **env})
            self.assertNotEqual(r.returncode, 0)
            return r.stderr
        for layer, env in ((good, {}), (self.server.url + "/good.geojson", {})):
            self.assertIn("404", run(layer, **env), "the layer is read, and the catalogue asked")
        asked = len(self.server.requests)
        for layer in (self.save("v.vrt", vrt % (self.server.url + "/probe")), vrt % (self.server.url + "/probe"), xml, "PG:host=127.0.0.1", "WFS:%s/wfs" % self.server.url, "OAPIF:%s/o" % self.server.url, "/vsicurl/%s/good.geojson" % self.server.url,
                      "GeoJSON:%s/good.geojson" % self.server.url, "ESRIJSON:%s/good.geojson" % self.server.url, "CSV:/vsicurl/%s/good.csv" % self.server.url, json.dumps({"type": "Point", "coordinates": [0, 0]}), self.path("layer")):
            said = run(layer)
            with self.subTest(layer=layer, said=said):
                self.assertNotIn("404", said)
        self.assertEqual(len(self.server.requests), asked)
        run(self.server.url + "/v.vrt")
        self.assertNotIn("/probe", [r[1] for r in self.server.requests])
        self.assertIn("STACCHIP_LOCAL", run(good, STACCHIP_LOCAL="deny"))
        asked = len(self.server.requests)
        self.assertIn("STACCHIP_HOSTS", run(self.server.url + "/good.geojson", STACCHIP_HOSTS="elsewhere.example"))
        self.assertEqual(len(self.server.requests), asked)

    def test_processors_make_nothing_of_a_raster_that_names_others(self):
        keys = ["sur_refl_b0%d" % i for i in range(1, 8)] + ["sur_refl_qc_500m", "sur_refl_state_500m"]
        for inside in (os.path.join(self.outside, "a.tif"), "/vsicurl/%s/probe.tif" % self.server.url):
            code, said, there = self.run_program("modis", lambda c, d: self.scene(c, d, keys, self.server.url + "/v.tif"), {"/v.tif": (ONE_PIXEL % inside).encode()})
            self.assertEqual((code, there), (1, {}), said)
        self.assertNotIn("/probe.tif", [r[1] for r in self.server.requests])

    def test_ids_and_names_of_an_answer_stay_in_the_bucket(self):
        bucket = self.path("a/bucket")
        for ident, href in (("../../planted", "/x.tif"), ("..", "/x.tif"), (".", "/x.tif"), ("a/../../b", "/x.tif"), ("x", "/y/.."), ("x", "/y/."), ("x", "/y/"), ("x", "/..%2f..%2fx.tif")):
            os.makedirs(bucket)
            self.run_program("landsat", lambda c, d: dict(self.scene(c, d, ("blue", "qa_pixel"), self.server.url + href), id=ident), {"/x.tif": b"x", "/y/..": b"x", "/y/.": b"x", "/y/": b"x", "/..%2f..%2fx.tif": b"x"}, bucket=bucket)
            with self.subTest(ident=ident, href=href):
                self.assertEqual(os.listdir(self.path("a")), ["bucket"])
                self.assertFalse(set(os.listdir(bucket)) - {"landsat-c2l1", "landsat-c2l2-sr", "index"})
            shutil.rmtree(self.path("a"))


class Answers(Access):
    """What servers and stored tables say is bounded and judged like everything else."""

    def setUp(self):
        super().setUp()
        self.db = host.connect()

    def endless(self, h):
        """A body without an end; true to HTTP, it announces none."""
        def run(h):
            h.send_response(200)
            h.send_header("Connection", "close")
            h.end_headers()
            h.close_connection = True
            while True:
                h.wfile.write(b"x" * (1 << 20))
        return run

    def test_endless_bodies(self):
        self.server.fault = self.endless
        for sql in ("SELECT count(*) FROM stacchip_index(?)", "SELECT count(*) FROM stacchip_items(?)", "SELECT count(*) FROM stacchip_search(?, '{}')", "SELECT stacchip_item_info(?)"):
            self.assertIn("more than", self.refused(self.db, sql, self.server.url + "/i.json"))
        self.refused(self.db, "SELECT count(*) FROM stacchip_parquet(?)", self.server.url + "/a.parquet")
        self.refused(self.db, "SELECT count(*) FROM stacchip_index(?)", self.server.url + "/a.tif")

    def test_ranges_that_were_not_asked_for(self):
        for span, body in (("bytes 0-3/999999999999", b"abcd"), ("bytes 5-9/10", b"abcde"), ("bytes 0-32767/10", b"x" * 32768), ("nonsense", b"x"), ("bytes */5", b""), ("bytes 9-0/5", b"x")):
            self.server.fault = lambda h: lambda h: h.answer(206, body, Content_Range=span)
            for sql, name in (("SELECT count(*) FROM stacchip_index(?)", "a.tif"), ("SELECT count(*) FROM stacchip_parquet(?)", "a.parquet")):
                with self.subTest(span=span, sql=sql):
                    self.refused(self.db, sql, self.server.url + "/%d/%s" % (len(self.server.requests), name))

    def test_redirects_without_end(self):
        self.server.fault = lambda h: lambda h: h.answer(302, Location=h.path + "x")
        self.refused(self.db, "SELECT count(*) FROM stacchip_index(?)", self.server.url + "/i.json", words="too many redirects")
        self.assertLess(len(self.server.requests), 10)

    def test_headers_of_assets_are_asked_for_as_pixels_are(self):
        """Merging an item reads headers of its assets ahead: where href_map says they are, and nowhere else."""
        folder = web.scene("sentinel-2", 600)
        with open(os.path.join(folder, "red.tif"), "rb") as f:
            self.server.files["/red.tif"] = f.read()
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "a", "properties": {"datetime": "2024-01-01T00:00:00Z", "proj:epsg": 32720},
                "assets": {"red": {"href": "http://moved.example/red.tif", "type": "image/tiff; application=geotiff", "roles": ["data"],
                                   "proj:shape": [600, 600], "proj:transform": [10, 0, 499980, 0, -10, 6400000]}}}
        to_server, to_folder = {"http://moved.example/": self.server.url + "/"}, {self.server.url + "/": folder + "/"}
        for name, href, settings, n_requests, n_headers in (
                ("moved", "http://moved.example/red.tif", {"href_map": to_server}, 1, 1), ("to disk", self.server.url + "/red.tif", {"href_map": to_folder}, 0, 0),
                ("other hosts", self.server.url + "/red.tif", {"hosts": "*.example"}, 0, 0), ("as it is", self.server.url + "/red.tif", {}, 1, 1)):
            with self.subTest(name):
                del self.server.requests[:]
                item["assets"]["red"]["href"] = href
                f = self.path(name + ".db")
                web.cold(f, *[["SELECT stacchip_config(?, ?)", [k, v if isinstance(v, str) else json.dumps(v)]] for k, v in settings.items()],
                         ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1, platform=none)"], ["INSERT INTO chips(item_json) VALUES (?)", [json.dumps(item)]])
                self.assertEqual(n_requests, len(self.server.requests), self.server.requests)
                db = sqlite3.connect(f)
                self.assertEqual((n_headers, href), db.execute("SELECT count(header), href FROM chips_asset").fetchone())
                db.close()

    def test_addresses_in_stored_tables(self):
        """A merged index whose tables a stranger has changed names nothing that its item could not."""
        folder = web.scene("sentinel-2", 600)
        f = self.path("m.db")
        db = host.connect(f)
        db.execute("CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)")
        db.execute("INSERT INTO chips(item_json) VALUES (?)", (os.path.join(folder, "item.json"),))
        self.assertNotIn("error:", str(self.ask(db, "SELECT stacchip_chip(row) FROM chips LIMIT 1")))
        db.close()
        for href in ("http://169.254.169.254/x.tif", "http://2852039166/x.tif", "/vsicurl/%s/x.tif" % self.server.url, "/dev/zero", "s3://localhost:%d?/x" % self.server.port,
                     "ftp://127.0.0.1/x", "relative.tif", "/etc/passwd"):
            shutil.copyfile(f, self.path("s.db"))
            x = sqlite3.connect(self.path("s.db"))
            x.execute("UPDATE chips_asset SET href = ?, header = NULL", (href,))
            for ident, text in x.execute("SELECT id, item_json FROM chips_item").fetchall():
                item = json.loads(text)
                for asset in item["assets"].values():
                    asset["href"] = href
                x.execute("UPDATE chips_item SET item_json = ? WHERE id = ?", (json.dumps(item), ident))
            x.commit()
            x.close()
            db = host.connect(self.path("s.db"))
            for sql in ("SELECT stacchip_chip(row) FROM chips", "SELECT stacchip_stack(row) FROM chips", "SELECT stacchip_band_stats(row) FROM chips"):
                with self.subTest(href=href, sql=sql):
                    self.refused(db, sql)
            db.close()
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    host.main()
