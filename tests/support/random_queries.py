"""Random statements for a table of chips, to be run on ours and on a plain table with the same rows.

A statement is text with {c} for the table under test and {p} nowhere: ours and plain differ in what stands for {c}, and in
search_area, which a plain table writes as ST_Intersects (AREA below). Beside it two helper tables: t, whose columns have
every affinity, and n, numbers. Values stay where the product promises an answer: fractions in 0..1, dates without a time,
geometries that are geometries.
"""
import re

TEXTS = ("chipid", "platform", "item", "date", "datetime", "collection", "grid", "row")
INTEGERS = ("rowid", "chip_index_x", "chip_index_y")
FRACTIONS = ("cloud_cover_percentage", "nodata_percentage")
# What a reader of such a text could take for a chip's, and which is equal to none.
NEARLY = {"chipid": ("'I1-01-2'", "'I1-1-2-'", "'-1-1'", "'I1-1'", "'I1-+1-2'", "'I1--1-2'", "'7-1-2x'", "'I1-2-1-1'", "'I1-1-99999999999'", "'I1-1-4294967297'",
                     "'i1-1-1'", "'-'", "'--'", "'I1-1-2 '", "'7-1-'"),
          "row": ("'[\"c\",1,\"A\",0,0]'", "'[\"c\",1,\"A\",0,0,\"main\"]'", "'[\"d\",2,\"A\",0,0]'", "'[\"c\", 3,\"A\",2,0]'", "'[\"c\",3,\"A\",9,0]'", "'[\"c\",+3,\"A\",2,0]'", "'[\"c\",3'",
                  "'[\"c\",99999999999999999999,\"A\",0,0]'", "'[\"C\",3,\"A\",2,0]'", "'[\"c\",-3,\"A\",2,0]'", "'[\"c\",03,\"A\",2,0]'", "'['", "'[\"c\",]'", "'{\"item\":\"A\"}'",
                  "'[\"c\",9007199254740993,\"A\",2,0]'", "3")}
AREA = re.compile(r"AREA\((\w+)\.search_area, (.*?)\)!")  # AREA(a.search_area, <geometry>)!

HELPERS = """
CREATE TABLE t(k INTEGER, s TEXT, a, r REAL, m NUMERIC, g BLOB);
INSERT INTO t VALUES (1, 'I1', 'I1', .5, 7, BuildMbr(0, 0, .25, .25, 4326)),
  (2, '7', 7, .25, 'I2', BuildMbr(5.05, .05, 5.35, .15, 4326)),
  (7, '007', '007', 1, '2024-01-02', GeomFromText('POLYGON((0 0, 9 1, 3 2, 0 0))', 4326)),
  (0, '2024-01-02', 2024, 0, 0.5, MakePoint(.1, .1, 4326)),
  (NULL, NULL, NULL, NULL, NULL, BuildMbr(-180, -10, 180, 10, 4326)),
  (3, 's2', x'4931', .75, 3, GeomFromText('LINESTRING(0 0, 6 .3)', 4326));
CREATE TABLE n(i INTEGER, x);
INSERT INTO n VALUES (0, 0), (1, 1), (2, '2'), (3, 3.0), (7, '7'), (7, '007'), (NULL, NULL), (40, 'I1');
"""

PREDICATES = ("ST_Intersects Intersects MbrIntersects ST_EnvIntersects ST_Within Within MbrWithin ST_CoveredBy ST_Contains "
              "MbrContains ST_Covers ST_Overlaps MbrOverlaps ST_Touches MbrTouches ST_Crosses ST_Equals MbrEqual "
              "CoveredBy Touches").split()


class Maker:
    """Statements from one random generator. columns are those that the table has, values(column) some of its values."""

    def __init__(self, random, columns, values, sqlite, is_spatial=True, has_area=False, can_delete=False):
        self.r, self.columns, self.values, self.sqlite = random, [c for c in columns if c != "geometry"], values, sqlite
        self.is_spatial, self.has_area, self.can_delete = is_spatial, has_area, can_delete
        self.is_outer = False  # in the WHERE of an outer join: of a NULL SpatiaLite says -1, which is true, and we NULL
        self.texts = [c for c in self.columns if c in TEXTS]

    def pick(self, *choices):
        return self.r.choice(choices)()

    # ---- values ----

    def quoted(self, v):
        return "NULL" if v is None else repr(v) if isinstance(v, (int, float)) else "'%s'" % v.replace("'", "''")

    def own(self, column):
        """A literal of a value that the column has."""
        return self.quoted(self.r.choice(self.values(column)))

    def odd(self, column):
        """Something of another type. Fractions are compared with numbers in 0..1 only."""
        if column in FRACTIONS:
            return self.r.choice(("'0.5'", "'abc'", "x'00'", "NULL", "0", "1", "CAST('.5' AS TEXT)", "1e0", "''"))
        if column in NEARLY and self.r.random() < .6:
            return self.r.choice(NEARLY[column]) if self.r.random() < .6 else "%s %s" % (self.own(column), self.r.choice(("|| ' '", "|| char(0)", "|| ']'", "|| 0", "|| x'31'")))
        return self.r.choice(("7", "'7'", "7.0", "'7.0'", "' 7'", "2024", "x'4931'", "NULL", "''", "'zzz'", "-1", "0", "1e300",
                              "CAST(7 AS INTEGER)", "CAST('7' AS TEXT)", "CAST(3000 AS REAL)", "CAST('I1' AS BLOB)",
                              "9223372036854775807", "2.5", "'2024-02-30'", "'2024-01'", "1=1", "'I1' || char(0)"))

    def value(self, column, other=None):
        def near():
            v = self.own(column)
            if column in FRACTIONS or column in INTEGERS:
                return v if v == "NULL" else "CAST(%s AS %s)" % (v, self.r.choice(("TEXT", "REAL", "NUMERIC")))
            return self.r.choice(("upper(%s)", "%s || ''", "substr(%s, 1, 3)", "+%s", "%s || 'x'")) % v

        def sub():
            return "(SELECT %s(%s) FROM {c})" % (self.r.choice(("min", "max")), column)

        def of_other():
            if not other:
                return self.own(column)
            if other == "t":
                return "b." + (self.r.choice("r") if column in FRACTIONS else self.r.choice(("k", "s", "a", "m")))
            return "b." + self.r.choice([column] if column in FRACTIONS else [column] + self.texts)
        return self.pick(*[lambda: self.own(column)] * 5, lambda: self.odd(column), lambda: self.odd(column), near, sub, of_other)

    def list_of(self, column):
        if self.r.random() < .5:
            return "(%s)" % ", ".join(self.own(column) if self.r.random() < .8 else self.odd(column)
                                      for _ in range(self.r.randint(1, 4)))
        if column in FRACTIONS:
            return "(SELECT %s FROM {c} z WHERE z.chip_index_x = %d)" % (column, self.r.randint(0, 4))
        return "(%s)" % self.r.choice(("SELECT k FROM t", "SELECT s FROM t", "SELECT a FROM t", "SELECT i FROM n", "SELECT x FROM n",
                                       "SELECT %s FROM {c} z WHERE z.chip_index_y < 2" % column,
                                       "SELECT %s FROM {c} z WHERE z.item = 'I1'" % column))

    # ---- terms ----

    def column(self):
        return self.r.choice(self.columns)

    def compare(self, other, column=None):
        c = column or self.column()
        op = self.r.choice(("=", "=", "=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT", "=="))
        v = self.value(c, other)
        collate = self.r.choice((" COLLATE NOCASE", " COLLATE RTRIM")) if c in TEXTS and self.r.random() < .06 else ""
        return "a.%s%s %s %s" % (c, collate, op, v) if self.r.random() < .7 else "%s %s a.%s%s" % (v, op, c, collate)

    def between(self, other):
        c = self.column()
        low, high = sorted((self.own(c), self.own(c))) if self.r.random() < .8 else (self.own(c), self.own(c))
        return "a.%s %sBETWEEN %s AND %s" % (c, self.r.choice(("", "", "", "NOT ")), low, high)

    def among(self, other):
        c = self.column()
        return "a.%s %sIN %s" % (c, self.r.choice(("", "", "", "NOT ")), self.list_of(c))

    def null(self, other):
        return "a.%s IS %sNULL" % (self.column(), self.r.choice(("", "NOT ")))

    def like(self, other):
        """Not of a rowid: a plain table ends an outer join at `rowid LIKE 'text%'`, without its rows."""
        return "a.%s %s '%s'" % (self.r.choice([c for c in self.columns if c != "rowid"]), self.r.choice(("LIKE", "NOT LIKE", "GLOB")),
                                 self.r.choice(("I%", "I1%", "%1", "I*", "2024-01%", "7%", "0.5%", "_", "s2")))

    def pair(self, other):
        """Two terms on one column, the equality before or behind the range; mostly there are rows for both."""
        c = self.column()
        values = sorted((v for v in self.values(c) if v is not None), key=lambda v: (isinstance(v, str), v))
        if not values or self.r.random() < .3:
            two = [self.compare(other, c), self.compare(other, c)]
        else:
            i = self.r.randrange(len(values))
            v, low, high = (self.quoted(values[k]) for k in (i, self.r.randint(0, i), self.r.randint(i, len(values) - 1)))
            forms = {"a.%s = %s": v, "a.%s IN (%s)": "%s, %s" % (self.own(c), v), "a.%s >= %s": low, "a.%s <= %s": high,
                     "a.%s BETWEEN %s": "%s AND %s" % (low, high), "%s = a.%s": v}
            two = [f % ((w, c) if f.startswith("%s =") else (c, w)) for f, w in self.r.sample(sorted(forms.items()), 2)]
        return " AND ".join(two)

    def row_value(self, other):
        cs = self.r.sample(self.columns, self.r.randint(2, min(3, len(self.columns))))
        left = "(%s)" % ", ".join("a." + c for c in cs)
        if self.r.random() < .4:
            return "%s IN (SELECT %s FROM {c} z WHERE z.chip_index_x = %d)" % (left, ", ".join(cs), self.r.randint(0, 4))
        return "%s %s (%s)" % (left, self.r.choice(("=", "<", "<=", ">", ">=", "IS", "<>")), ", ".join(self.own(c) for c in cs))

    def columns_compared(self, other):
        groups = [[c for c in self.columns if c in g] for g in (INTEGERS, FRACTIONS, TEXTS)]
        a, b = (self.r.choices(g, k=2) for g in [self.r.choice([g for g in groups if len(g) > 1])]).__next__()
        return "a.%s %s a.%s%s" % (a, self.r.choice(("=", "<", ">=", "<>")), b, self.r.choice(("", "", " + 0", " || ''")))

    def geometry(self, other):
        if other == "t" and self.r.random() < .5:
            return "b.g"
        x, y = self.r.choice((0, 5, 10, 15, 179.9, -180, .1)), self.r.choice((0, .1, .25, -1))
        w, h = self.r.choice((.1, .25, .05, 5, .35)), self.r.choice((.1, .2, 2, .05))
        return self.r.choice(("BuildMbr(%s, %s, %s, %s, 4326)" % (x, y, x + w, y + h), "MakePoint(%s, %s, 4326)" % (x, y),
                              "GeomFromText('POLYGON((%s %s, %s %s, %s %s, %s %s))', 4326)" % (x, y, x + w, y, x, y + h, x, y),
                              "(SELECT g FROM t WHERE k = %d)" % self.r.choice((1, 2, 3, 7)),
                              "(SELECT geometry FROM {c} z WHERE z.item = 'I1' AND z.chip_index_x = 1 AND z.chip_index_y = 1)"))

    def spatial(self, other, is_bare=True):
        if not self.is_spatial or self.is_outer:
            return self.compare(other)
        f, g = self.r.choice(PREDICATES), self.geometry(other)
        if is_bare and self.r.random() < .55:
            return "%s(a.geometry, %s)" % (f, g)
        return self.r.choice(("%s(%s, a.geometry)" % (f, g), "%s(a.geometry, %s) = 1" % (f, g), "1 = %s(a.geometry, %s)" % (f, g),
                              "%s(a.geometry, %s) = 0" % (f, g)))

    def exists(self, other):
        return "%sEXISTS (SELECT 1 FROM t z WHERE %s)" % (self.r.choice(("", "NOT ")), self.r.choice(
            ("z.s = a.item", "z.k = a.chip_index_x", "a.chip_index_x < z.k AND z.s > a.item", "z.a = a.item",
             "z.m = a.item", "z.k <= a.item", "a.date >= z.s")))

    def term(self, other, is_bare=True, depth=0):
        kinds = [self.compare] * 4 + [self.pair, self.pair, self.among, self.among, self.between, self.null, self.like, self.row_value,
                                      self.columns_compared, self.exists]
        x = self.r.random()
        if x < .14:
            return self.spatial(other, is_bare and depth == 0)
        if x < .24 and depth < 2:
            return "(%s)" % (" %s " % self.r.choice(("OR", "AND"))).join(
                self.term(other, is_bare, depth + 1) for _ in range(self.r.randint(2, 3)))
        if x < .29 and depth < 2:
            return "NOT (%s)" % self.term(other, is_bare, depth + 1)
        return self.r.choice(kinds)(other)

    def where(self, other=None, is_bare=True):
        terms = [self.term(other, is_bare) for _ in range(self.r.choice((1, 1, 2, 2, 3, 4)))]
        if self.has_area and is_bare and self.r.random() < .05:
            terms.append("AREA(a.search_area, %s)!" % self.geometry(other))
        self.r.shuffle(terms)
        return " AND ".join(terms)

    # ---- statements: (text, are rows in order) ----

    def plain(self):
        shape = self.r.choice(("count(*)", "a.chipid, a.rowid", "count(*), min(a.{k}), max(a.{k})", "a.{k}, count(*)", "DISTINCT a.{k}"))
        k = self.column()
        tail = " GROUP BY a.%s" % k if shape.startswith("a.{k}") else ""
        return "SELECT %s FROM {c} a WHERE %s%s" % (shape.replace("{k}", k), self.where(), tail), False

    def ordered(self):
        k, by = self.column(), self.r.choice(("", " DESC", " ASC NULLS LAST", " DESC NULLS FIRST", " COLLATE NOCASE"))
        key = k if self.r.random() < .6 or "COLLATE" in by else "%s, a.rowid" % k
        if "," in key:
            by = ""
        limit = self.r.choice(("", " LIMIT 5", " LIMIT 10 OFFSET 3", " LIMIT 0", " LIMIT -1", " LIMIT 70", " LIMIT 3 OFFSET 90", " LIMIT 1"))
        where = " WHERE " + self.where() if self.r.random() < .85 else ""
        shown = "lower(a.%s)" % k if "COLLATE" in by else "a." + k
        return "SELECT %s FROM {c} a%s ORDER BY a.%s%s%s" % (shown, where, key, by, limit), True

    def limited(self):
        return "SELECT count(*) FROM (SELECT a.rowid FROM {c} a WHERE %s LIMIT %d OFFSET %d)" % (
            self.where(), self.r.choice((1, 5, 60)), self.r.choice((0, 0, 2, 100))), False

    def joined(self):
        kinds = ["JOIN", ",", "LEFT JOIN", "CROSS JOIN"] + (["RIGHT JOIN", "FULL JOIN"] if self.sqlite >= (3, 39) else [])
        kind, is_left = self.r.choice(kinds), self.r.random() < .5
        other = "t"
        froms = ("{c} a", "t b") if is_left else ("t b", "{c} a")
        is_doubtful = kind in ("RIGHT JOIN", "FULL JOIN") and self.sqlite < (3, 43)  # plain tables lose rows then, with lists
        # SQLite hands a bare call in the ON of a LEFT JOIN to the table on the left, as a filter.
        on = self.compare(other) if is_doubtful else self.where(other, kind != "LEFT JOIN" or not is_left)
        if kind in ("RIGHT JOIN", "FULL JOIN", "CROSS JOIN") or (kind == "LEFT JOIN" and is_left):
            on = AREA.sub(r"ST_Intersects(a.geometry, \2) = 1", on)
        self.is_outer = kind in ("LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
        where = " WHERE " + self.where(other, not self.is_outer) if self.r.random() < .4 and not is_doubtful else ""
        self.is_outer = False
        if kind == ",":
            return "SELECT %s FROM %s, %s WHERE %s" % (self.shown(), *froms, on), False
        return "SELECT %s FROM %s %s %s ON %s%s" % (self.shown(), froms[0], kind, froms[1], on, where), False

    def shown(self):
        return self.r.choice(("count(*), count(b.k), count(a.chipid)", "a.chipid, b.k", "max(b.k), count(a.rowid)")) if self.r.random() < .7 else "b.s, a.item"

    def self_joined(self):
        key = self.r.choice(("a.item = b.item AND a.chip_index_x = b.chip_index_x", "a.chipid = b.chipid", "b.rowid = a.rowid",
                             "b.rowid = a.rowid + 1", "a.item = b.item AND a.rowid <= b.rowid", "a.chip_index_y = b.chip_index_x AND a.item = b.item"))
        return "SELECT count(*), sum(a.chip_index_x), sum(b.rowid) FROM {c} a %s {c} b ON %s WHERE %s" % (
            self.r.choice(("JOIN", "CROSS JOIN", "LEFT JOIN")), key, self.where("c", False)), False

    def window(self):
        k = self.column()
        return ("SELECT a.chipid, row_number() OVER (PARTITION BY a.item ORDER BY a.%s, a.rowid), count(*) OVER (PARTITION BY a.%s)"
                " FROM {c} a WHERE %s" % (k, self.column(), self.where())), False

    def subquery(self):
        return self.r.choice((
            "SELECT count(*) FROM t b WHERE %sEXISTS (SELECT 1 FROM {c} a WHERE %s)" % (self.r.choice(("", "NOT ")), self.where("t")),
            "SELECT b.k, (SELECT count(*) FROM {c} a WHERE %s) FROM t b" % self.where("t"),
            "SELECT count(*) FROM (SELECT * FROM {c} a WHERE %s) a WHERE %s" % (self.where(), self.compare(None, "item")),
            "WITH a AS MATERIALIZED (SELECT rowid, * FROM {c} a WHERE %s) SELECT count(*) FROM a WHERE %s" % (self.where(), self.compare(None, "item")),
            "SELECT a.item FROM {c} a WHERE %s UNION SELECT a.item FROM {c} a WHERE %s" % (self.where(), self.where()))), False

    def deleted(self):
        """Without a look at the table itself: SQLite may take it before or while rows go."""
        where = "{c}"
        while "{c}" in where:
            where = AREA.sub(r"ST_Intersects(a.geometry, \2) = 1", self.where())
        return "DELETE FROM {c} AS a WHERE " + where, False

    def statement(self):
        kinds = [self.plain] * 5 + [self.ordered] * 4 + [self.limited, self.joined, self.joined, self.joined, self.self_joined, self.window,
                                                       self.subquery, self.subquery] + [self.deleted] * self.can_delete
        return self.r.choice(kinds)()


def ours(text, table):
    return AREA.sub(r"\1.search_area = \2", text).replace("{c}", table)


def plain(text, table):
    return AREA.sub(r"ST_Intersects(\1.geometry, \2) = 1", text).replace("{c}", table)
