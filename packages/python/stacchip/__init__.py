"""Chips of satellite and aerial imagery in SQL: the SQLite extension stacchip with all it needs, for Python.

    import stacchip
    db = stacchip.connect("chips.db")
    for blob, in db.execute("SELECT stacchip_chip(row) FROM stacchip_index('item.json') LIMIT 5"):
        print(stacchip.array(blob).shape)
"""
from ._array import array
from ._batches import Batches
from ._geopandas import to_geopandas
from ._load import connect, load, loadable_path
from ._version import __version__

__all__ = ["Batches", "__version__", "array", "connect", "load", "loadable_path", "to_geopandas"]
