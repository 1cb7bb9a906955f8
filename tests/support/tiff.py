"""Plain GeoTIFFs for the tests, written by hand: uncompressed, a strip for each band."""
import struct

import numpy

FORMATS = {"u": 1, "i": 2, "f": 3}
SIZES = {2: 1, 3: 2, 4: 4, 12: 8}


def write(path, array, transform=(10, 0, 500000, 0, -10, 6400000), epsg=32720, nodata=None):
    """array (bands, rows, columns); transform a b c d e f, north-up. Returns the path."""
    array = numpy.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    n, h, w = array.shape
    a, _, c, _, e, f = map(float, transform)
    geographic = epsg < 5000 and epsg // 1000 == 4 or epsg == 4326
    keys = [1, 1, 0, 3, 1024, 0, 1, 2 if geographic else 1, 1025, 0, 1, 1, 2048 if geographic else 3072, 0, 1, epsg]
    plane = h * w * array.dtype.itemsize
    tags = [(256, 4, [w]), (257, 4, [h]), (258, 3, [array.dtype.itemsize * 8] * n), (259, 3, [1]), (262, 3, [1]), (273, 4, [8 + k * plane for k in range(n)]),
            (277, 3, [n]), (278, 4, [h]), (279, 4, [plane] * n), (284, 3, [2 if n > 1 else 1]), (338, 3, [0] * (n - 1)), (339, 3, [FORMATS[array.dtype.kind]] * n),
            (33550, 12, [a, -e, 0.0]), (33922, 12, [0.0, 0.0, 0.0, c, f, 0.0]), (34735, 3, keys)]
    if nodata is not None:
        tags.append((42113, 2, list(str(nodata).encode() + b"\0")))
    tags = [t for t in tags if t[2]]
    at = 8 + n * plane
    more_at = at + 2 + 12 * len(tags) + 4
    directory, more = struct.pack("<H", len(tags)), b""
    for tag, kind, values in tags:
        data = struct.pack("<%d%s" % (len(values), {2: "B", 3: "H", 4: "I", 12: "d"}[kind]), *values)
        if len(data) > 4:
            data, more = struct.pack("<I", more_at + len(more)), more + data + bytes(len(data) % 2)
        directory += struct.pack("<HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    with open(path, "wb") as out:
        out.write(b"II*\0" + struct.pack("<I", at) + array.tobytes() + directory + bytes(4) + more)
    return path
