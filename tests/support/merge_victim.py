"""A process to be killed: merge_victim.py DATABASE KIND SEED. Prints a line before each write."""
import os
import random
import sys

import host
from merge_rows import fill_source, item_rows

path, kind, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = host.connect(path)
db.execute("PRAGMA busy_timeout = 10000")
rnd = random.Random(seed)
print("ready", flush=True)
step = 0
while True:
    step += 1
    first = 1000 + rnd.randrange(100000)
    fill_source(db, rnd.randrange(1, 8), 9, first)
    print("write", flush=True)
    try:
        if kind == "rows":
            db.execute("INSERT INTO chips SELECT * FROM src")
        elif kind == "transaction":
            db.execute("BEGIN")
            db.executemany("INSERT INTO chips VALUES(?,?,?,?,?,?,?,?,?)", list(item_rows(first, 9)))
            db.execute("DELETE FROM chips WHERE item = (SELECT item FROM chips_item ORDER BY id LIMIT 1 OFFSET 3)")
            db.execute("COMMIT")
        else:
            items = os.path.join(host.SHARED, "golden", "small_scenes", "*_small", "item.json")
            db.execute("SELECT stacchip_merge_items('chips', ?, '{\"replace\":true}')",
                       ("SELECT path FROM temp.paths ORDER BY random()",)) if step > 1 else None
            if step == 1:
                import glob
                db.execute("CREATE TEMP TABLE paths(path)")
                db.executemany("INSERT INTO paths VALUES(?)", [(p,) for p in glob.glob(items)])
    except Exception as e:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if "there already" not in str(e):
            raise
    print("done", flush=True)
