"""Results as GeoPandas' tables."""
from typing import TYPE_CHECKING, Any, List, Sequence

if TYPE_CHECKING:
    import geopandas


def to_geopandas(connection: Any, query: str, parameters: Sequence[Any] = (), *, geometry: str = "geometry") -> "geopandas.GeoDataFrame":
    """The rows of a query as a GeoDataFrame, in their order.

        stacchip.to_geopandas(db, "SELECT chipid, cloud_cover_percentage, geometry FROM chips")

    geometry is the name of the result's column with SpatiaLite's geometries. Their SRID, an EPSG code, becomes the CRS.
    """
    import geopandas
    import pandas

    rows = connection.execute(query, parameters)
    first = next(rows, None)
    names = [c[0] for c in rows.description] if first else _names(connection, query, parameters)
    table = pandas.DataFrame([first, *rows] if first else [], columns=names)
    srid, wkb = None, []
    for blob in table[geometry]:
        (binary, number), = connection.execute("SELECT ST_AsBinary(?1), ST_SRID(?1)", (blob,))
        srid = srid or number
        wkb.append(binary)
    table[geometry] = geopandas.GeoSeries.from_wkb(wkb, crs=srid)
    return geopandas.GeoDataFrame(table, geometry=geometry)


def _names(connection: Any, query: str, parameters: Sequence[Any]) -> List[str]:
    """Of a query without rows: apsw tells them while there is a row only."""
    rows = connection.execute(f"SELECT * FROM (SELECT 1) LEFT JOIN ({query.rstrip('; ')}) ON TRUE", parameters)
    return [c[0] for c in rows.description][1:]
