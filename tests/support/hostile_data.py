"""A database whose texts are markup: what a page must show and never run."""
import json
import shutil

import host

TEXT = "</script><script>window.hacked=1</script><!--<img src=x onerror=\"window.hacked=2\"><b>\u2028'\"&amp;</style>"


def make(path, out):
    """A copy of a database whose texts are markup: ids of items, platforms, a property of 10 MB."""
    shutil.copy(path, out)
    db = host.sqlite3.connect(out)
    db.execute("DELETE FROM chips_error")
    for rowid, text in db.execute("SELECT rowid, item_json FROM chips_item").fetchall():
        item = json.loads(text)
        item["id"] = f"{TEXT}{rowid}"
        item["properties"]["title"] = TEXT * (100000 if rowid == 1 else 1)
        db.execute("UPDATE chips_item SET item = ?, item_json = ? WHERE rowid = ?", (item["id"], json.dumps(item), rowid))
    db.execute("UPDATE chips_item SET platform = ? WHERE rowid <= 2", (TEXT,))
    db.commit()
    db.close()
    db = host.connect(out)
    db.execute("CREATE TABLE chips_labels(chip TEXT PRIMARY KEY, chipid TEXT, label TEXT NOT NULL, time TEXT NOT NULL)")
    db.execute("INSERT INTO chips_labels SELECT row, ?1, ?1, ?1 FROM chips LIMIT 4", (TEXT,))
    db.close()
