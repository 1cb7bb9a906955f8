import io, sqlite3, sys
import numpy
db = sqlite3.connect(":memory:")
db.enable_load_extension(True); db.load_extension("./stacchip")
row = db.execute("SELECT stacchip_chip(row) FROM stacchip_index(?) WHERE cloud_cover_percentage < 0.1 LIMIT 1", sys.argv[1:2]).fetchone()
print(numpy.load(io.BytesIO(row[0])).shape)
