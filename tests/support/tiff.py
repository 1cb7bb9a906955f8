"""GeoTIFFs for the tests, written by hand: every layout of blocks can be chosen, and no other program is started."""
import struct
import zlib

import numpy

FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def _blocks(planes, rows, columns, tiled):
    """Bytes of each block: planes is (planes, rows, columns, samples); tiles are filled up, the last strip is short."""
    n_planes, height, width, samples = planes.shape
    for plane in planes:
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                part = plane[top:top + rows, left:left + columns]
                if tiled:
                    part = numpy.pad(part, ((0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0)))
                yield numpy.ascontiguousarray(part)


def _literals(data):
    """PackBits without runs."""
    return b"".join(bytes([len(part) - 1]) + part for part in (data[i:i + 128] for i in range(0, len(data), 128)))


def write(path, array, transform=(10, 0, 500000, 0, -10, 6400000), epsg=32720, nodata=None, block=None, deflate=False, packbits=False, planar=True, tags=()):
    """array ([bands,] rows, columns); transform a b c d e f, north-up; block: (rows, columns) of a tile, or rows of a strip; packbits: only GDAL reads it. Returns the path."""
    array = numpy.asarray(array)
    a = array if array.ndim == 3 else array[None]
    bands, height, width = a.shape
    planes = a[..., None] if planar or bands == 1 else numpy.moveaxis(a, 0, -1)[None]
    tiled = isinstance(block, tuple)
    rows, columns = block if tiled else (block or height, width)
    pack = zlib.compress if deflate else _literals if packbits else bytes
    blobs = [pack(b.tobytes()) for b in _blocks(planes, rows, columns, tiled)]
    entries = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [a.dtype.itemsize * 8] * bands), 259: ("H", [8 if deflate else 32773 if packbits else 1]),
               262: ("H", [1]), 277: ("H", [bands]), 284: ("H", [2 if planar and bands > 1 else 1]), 339: ("H", [FORMATS[a.dtype.kind]] * bands)}
    if bands > 1:
        entries[338] = ("H", [0] * (bands - 1))
    entries.update({322: ("I", [columns]), 323: ("I", [rows])} if tiled else {278: ("I", [rows])})
    offsets, counts = (324, 325) if tiled else (273, 279)
    entries[offsets], entries[counts] = ("I", [0] * len(blobs)), ("I", [len(b) for b in blobs])
    if transform:
        x, _, left, _, y, top = transform
        entries[33550], entries[33922] = ("d", [x, -y, 0]), ("d", [0, 0, 0, left, top, 0])
        model = 2 if epsg == 4326 else 1
        entries[34735] = ("H", [1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, 1, 2048 if model == 2 else 3072, 0, 1, epsg])
    if nodata is not None:
        entries[42113] = ("s", str(nodata).encode() + b"\0")
    entries.update(dict(tags))
    _write(path, entries, blobs, offsets)
    return path


def _write(path, entries, blobs, offsets):
    types = {"H": 3, "I": 4, "d": 12, "s": 2}
    directory, extra, at = b"", b"", 8 + 2 + 12 * len(entries) + 4
    data_at = at + sum(len(v) if k == "s" else len(struct.pack("<%d%s" % (len(v), k), *v)) for k, v in entries.values()) + len(entries)
    places = [data_at + sum(map(len, blobs[:i])) for i in range(len(blobs))] if len(blobs) < 1000 else list(
        data_at + numpy.concatenate([[0], numpy.cumsum([len(b) for b in blobs])[:-1]]))
    entries[offsets] = ("I", [int(p) for p in places])
    for tag in sorted(entries):
        kind, values = entries[tag]
        raw = values if kind == "s" else struct.pack("<%d%s" % (len(values), kind), *values)
        directory += struct.pack("<HHI", tag, types[kind], len(values))
        if len(raw) <= 4:
            directory += raw.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", at + len(extra))
            extra += raw + b"\0" * (len(raw) % 2)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + struct.pack("<I", 0) + extra
    with open(path, "wb") as out:
        out.write(head.ljust(data_at, b"\0"))
        for b in blobs:
            out.write(b)
