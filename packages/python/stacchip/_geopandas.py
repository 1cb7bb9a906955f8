"""Results as GeoPandas' tables."""
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    import geopandas

# One row at least, since apsw knows the names of columns while there are rows only; the last value of a true one is 1.
WITH_GEOMETRY = """SELECT q.*, ST_AsBinary(q."{0}"), ST_SRID(q."{0}"), q.stacchip_is_row
  FROM (SELECT 1) LEFT JOIN (SELECT *, 1 AS stacchip_is_row FROM ({1})) AS q ON TRUE"""


def to_geopandas(connection: Any, query: str, parameters: Sequence[Any] = (), *, geometry: str = "geometry") -> "geopandas.GeoDataFrame":
    """The rows of a query as a GeoDataFrame.

        stacchip.to_geopandas(db, "SELECT chipid, cloud_cover_percentage, geometry FROM chips")

    geometry is the name of the result's column with SpatiaLite's geometries. Their SRID, an EPSG code, becomes the CRS.
    """
    import geopandas
    import pandas

    cursor = connection.execute(WITH_GEOMETRY.format(geometry.replace('"', '""'), query.rstrip("; \n")), parameters)
    names = [column[0] for column in cursor.description[:-4]]
    rows = [row for row in cursor.fetchall() if row[-1]]
    table = pandas.DataFrame([row[:-4] for row in rows], columns=names)
    srid = next((row[-2] for row in rows if row[-2]), None)
    table[geometry] = geopandas.GeoSeries.from_wkb([row[-3] for row in rows], crs=srid)
    return geopandas.GeoDataFrame(table, geometry=geometry)
