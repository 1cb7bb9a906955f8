"""GDAL's own answers, for tests of pixels: a process of its own, since GDAL brings a SQLite along.

ask([{"path", "windows": [[x, y, w, h, out_w, out_h], ...], "bands", "dtype", "resampling"}, ...]) opens
each file as the library does (no side files) and reads the windows of all bands by GDALRasterIOEx().
Each answer has width, height, dtypes, nodata, transform, has_crs, block, arrays; or error; with "masks" in
the question also masks: of each band GDAL's mask, whole.
"""
import ctypes
import ctypes.util
import os
import pickle
import subprocess
import sys

import numpy

TYPES = {1: "u1", 2: "u2", 3: "i2", 4: "u4", 5: "i4", 6: "f4", 7: "f8", 12: "u8", 13: "i8", 14: "i1", 8: "c8", 9: "c16", 10: "c8", 11: "c16"}
CODES = {numpy.dtype(v).name: k for k, v in TYPES.items()}
KERNELS = ["nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode", "gauss"]


def ask(jobs):
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    r = subprocess.run([sys.executable, __file__], input=pickle.dumps(jobs), capture_output=True, env=env)
    if r.returncode != 0:
        raise RuntimeError(r.stderr.decode(errors="replace")[-2000:])
    return pickle.loads(r.stdout)


class Extra(ctypes.Structure):  # GDALRasterIOExtraArg, version 1
    _fields_ = [("version", ctypes.c_int), ("kernel", ctypes.c_int), ("progress", ctypes.c_void_p), ("data", ctypes.c_void_p),
                ("is_float", ctypes.c_int), ("x", ctypes.c_double), ("y", ctypes.c_double), ("w", ctypes.c_double), ("h", ctypes.c_double)]


def load():
    g = ctypes.CDLL(ctypes.util.find_library("gdal"))
    pointers = ["GDALOpenEx", "GDALGetRasterBand", "GDALGetSpatialRef", "GDALGetMaskBand"]
    for name in pointers:
        getattr(g, name).restype = ctypes.c_void_p
    for name in ("GDALGetRasterNoDataValue",):
        getattr(g, name).restype = ctypes.c_double
    for name in ("GDALGetRasterNoDataValueAsInt64", "GDALGetRasterNoDataValueAsUInt64"):
        getattr(g, name).restype = ctypes.c_int64 if "UInt" not in name else ctypes.c_uint64
    for name in ("GDALGetMetadataItem", "CPLGetLastErrorMsg"):
        getattr(g, name).restype = ctypes.c_char_p
    g.CPLSetConfigOption(b"GDAL_PAM_ENABLED", b"NO")
    g.CPLSetConfigOption(b"GDAL_DISABLE_READDIR_ON_OPEN", b"EMPTY_DIR")
    g.CPLPushErrorHandler(g.CPLQuietErrorHandler)
    g.GDALAllRegister()
    g.GDALVersionInfo.restype = ctypes.c_char_p
    if int(g.GDALVersionInfo(b"VERSION_NUM")) < 3070000:  # signed bytes were bytes with a note
        CODES["int8"] = 1
    return g


def describe(g, ds):
    P = ctypes.c_void_p
    n = g.GDALGetRasterCount(P(ds))
    gt, has = (ctypes.c_double * 6)(), ctypes.c_int()
    out = {"width": g.GDALGetRasterXSize(P(ds)), "height": g.GDALGetRasterYSize(P(ds)), "dtypes": [], "nodata": [], "block": None}
    ok = g.GDALGetGeoTransform(P(ds), gt) == 0
    out["transform"] = [gt[1], gt[2], gt[0], gt[4], gt[5], gt[3]] if ok else None
    out["has_crs"] = bool(g.GDALGetSpatialRef(P(ds)))
    for i in range(n):
        b = P(g.GDALGetRasterBand(P(ds), i + 1))
        code = g.GDALGetRasterDataType(b)
        name = TYPES.get(code)
        if code == 1 and g.GDALGetMetadataItem(b, b"PIXELTYPE", b"IMAGE_STRUCTURE") == b"SIGNEDBYTE":
            name = "i1"
        out["dtypes"].append(name)
        f = {12: g.GDALGetRasterNoDataValueAsUInt64, 13: g.GDALGetRasterNoDataValueAsInt64}.get(code, g.GDALGetRasterNoDataValue)
        v = f(b, ctypes.byref(has))
        out["nodata"].append(v if has.value else None)
        bw, bh = ctypes.c_int(), ctypes.c_int()
        g.GDALGetBlockSize(b, ctypes.byref(bw), ctypes.byref(bh))
        out["block"] = [bw.value, bh.value]
    return out


def read(g, ds, job, described):
    P = ctypes.c_void_p
    arrays = []
    bands = job.get("bands") or range(1, len(described["dtypes"]) + 1)
    for x, y, w, h, ow, oh in job["windows"]:
        planes = []
        for i in bands:
            dtype = numpy.dtype(job.get("dtype") or described["dtypes"][i - 1])
            out = numpy.zeros((oh, ow), dtype)
            x0, y0 = int(numpy.floor(x + 1e-9)), int(numpy.floor(y + 1e-9))
            x1, y1 = int(numpy.ceil(x + w - 1e-9)), int(numpy.ceil(y + h - 1e-9))
            extra = Extra(1, KERNELS.index(job.get("resampling", "nearest")), None, None, 1, x, y, w, h)
            bad = g.GDALRasterIOEx(P(g.GDALGetRasterBand(P(ds), i)), 0, x0, y0, x1 - x0, y1 - y0, P(out.ctypes.data), ow, oh,
                                   CODES[dtype.name], ctypes.c_int64(0), ctypes.c_int64(0), ctypes.byref(extra))
            if bad:
                raise ValueError(g.CPLGetLastErrorMsg().decode(errors="replace"))
            planes.append(out)
        arrays.append(planes)
    return arrays


def read_masks(g, ds, described):
    P = ctypes.c_void_p
    w, h, masks = described["width"], described["height"], []
    for i in range(len(described["dtypes"])):
        out = numpy.zeros((h, w), "u1")
        g.GDALRasterIO(P(g.GDALGetMaskBand(P(g.GDALGetRasterBand(P(ds), i + 1)))), 0, 0, 0, w, h, P(out.ctypes.data), w, h, 1, 0, 0)
        masks.append(out)
    return masks


def answer(g, job):
    drivers = (ctypes.c_char_p * 5)(b"GTiff", b"JP2OpenJPEG", b"PNG", b"JPEG", None)
    ds = g.GDALOpenEx(job["path"].encode(), 2, drivers, None, None)
    if not ds:
        return {"error": g.CPLGetLastErrorMsg().decode(errors="replace"), "opened": False}
    out = {}
    try:
        out = describe(g, ds)
        out["overview_file"] = g.GDALGetMetadataItem(ctypes.c_void_p(ds), b"OVERVIEW_FILE", b"OVERVIEWS")
        out["arrays"] = read(g, ds, job, out) if job.get("windows") else []
        out["masks"] = read_masks(g, ds, out) if job.get("masks") else []
    except ValueError as e:
        out["error"] = str(e)
    g.GDALClose(ctypes.c_void_p(ds))
    return out


if __name__ == "__main__":
    library = load()
    sys.stdout.buffer.write(pickle.dumps([answer(library, job) for job in pickle.load(sys.stdin.buffer)]))
