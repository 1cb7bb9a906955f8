"""A process to be killed: freeze_victim.py PATH QUERY OPTIONS. Prints a line when it begins, and the result."""
import sys

import host

db = host.connect()
print("ready", flush=True)
print(db.execute("SELECT stacchip_freeze(?, ?, ?)", sys.argv[1:4]).fetchone()[0], flush=True)
