"""Arrays of the BLOBs that stacchip gives."""
import ast
import struct
from typing import TYPE_CHECKING, Any, Literal, Union

if TYPE_CHECKING:
    import numpy

MAGIC = b"\x93NUMPY"


def array(blob: Union[bytes, bytearray, memoryview], *, writable: bool = False) -> "numpy.ndarray[Any, Any]":
    """The array in a BLOB of the format "npy", as a view of the BLOB's memory: nothing is copied.

    A bytes object cannot be written to, nor can the view; with writable=True the array of one is a copy, and that of a
    bytearray a view that can be written to.

    Such a BLOB is a .npy file: the magic b"\\x93NUMPY", two bytes of version, the length of a header in 2 bytes (4 from
    version 2 on), the header, a dict in Python's syntax with descr, fortran_order and shape, then the values
    (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html). stacchip writes version 1.0, C order and
    little-endian values, from byte 128 on where the header is no longer than that.
    """
    import numpy

    start = bytes(memoryview(blob)[:12])
    if len(start) < 12 or start[:6] != MAGIC:
        raise ValueError(f"not an .npy array, it begins with {start[:6]!r}: stacchip.array() reads the format 'npy', numpy.load(io.BytesIO(blob)) also 'npz'")
    offset, form = (10, "<H") if start[6] == 1 else (12, "<I")
    end = offset + struct.unpack_from(form, start, 8)[0]
    header = ast.literal_eval(bytes(memoryview(blob)[offset:end]).decode("utf-8").strip())
    order: Literal["C", "F"] = "F" if header["fortran_order"] else "C"
    view: "numpy.ndarray[Any, Any]" = numpy.ndarray(header["shape"], numpy.dtype(header["descr"]), blob, end, order=order)
    if not writable:
        view.flags.writeable = False
    return view if view.flags.writeable == writable else view.copy(order)
