"""Chips beside a pole hold the places that their pixels hold: SpatiaLite's ST_Transform and ST_Contains judge."""
import json
import unittest

import host

CHIP, SIDE = 32, 4  # pixels, chips


class Beside(unittest.TestCase):
    def test_places_within_a_chip_lie_in_its_footprint(self):
        db = host.connect()
        db.execute("SELECT InitSpatialMetaData(1)")
        for epsg, px, col, row in ((3031, 1000, 70, 40), (3031, 30, 75.5, 62), (3413, 1000, 50, 45), (6931, 1000, 62, 70), (5041, 100, 70, 60)):
            middle = db.execute("SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_Transform(MakePoint(0, ?, 4326), ?) AS p)", (-90 if epsg == 3031 else 90, epsg)).fetchone()
            transform = [px, 0, middle[0] - px * col, 0, -px, middle[1] + px * row]  # the pole at this column and row
            item = {"type": "Feature", "stac_version": "1.0.0", "id": "s", "geometry": None, "links": [],
                    "properties": {"datetime": None, "proj:epsg": epsg, "proj:shape": [CHIP * SIDE] * 2, "proj:transform": transform},
                    "assets": {"m": {"href": "/none.tif", "type": "image/tiff"}}}
            db.execute("CREATE TEMP TABLE chip AS SELECT chip_index_x AS x, chip_index_y AS y, geometry AS g FROM stacchip_index(?, ?)",
                       (json.dumps(item), json.dumps({"platform": "none", "chip_size": CHIP})))
            self.assertEqual(db.execute("SELECT count(*), min(ST_IsValid(g)) FROM chip").fetchone(), (SIDE * SIDE, 1))
            wrong = []
            for x, y, g in db.execute("SELECT x, y, g FROM chip").fetchall():
                for u in (0.15, 0.5, 0.85):
                    for v in (0.15, 0.5, 0.85):
                        at = (transform[2] + px * CHIP * (x + u), transform[5] - px * CHIP * (y + v))
                        inside = db.execute("SELECT group_concat(x || ' ' || y) FROM chip WHERE ST_Contains(g, ST_Transform(MakePoint(?, ?, ?), 4326))", (*at, epsg)).fetchone()[0]
                        if inside != f"{x} {y}":
                            wrong.append((x, y, u, v, inside))
            self.assertEqual((epsg, wrong), (epsg, []))
            db.execute("DROP TABLE chip")
        db.close()


if __name__ == "__main__":
    host.main()
