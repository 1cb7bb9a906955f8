"""A process to be killed: merge_victim.py DATABASE KIND SEED PACE. Prints a line before and after each write.

A write takes 2 ms of the 9 between two of them: PACE "slow" has it sleep on the way, so that most of the time is inside.
"""
import os
import random
import sys
import time

import host
from merge_rows import fill_source, item_rows

path, kind, seed, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
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
    db.set_progress_handler((lambda: time.sleep(0.001)) if pace == "slow" else None, 200)
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
    db.set_progress_handler(None, 0)
    print("done", flush=True)
