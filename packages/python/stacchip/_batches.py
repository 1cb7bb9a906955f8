"""Batches of chips in memory that is used again."""
import json
import mmap
import os
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Tuple

from ._array import array

if TYPE_CHECKING:
    import numpy

ALIGNMENT = 64  # of slots, as stacchip_batches() lays them


class Batches:
    """One epoch of a query's chips, n at a time: an iterator of (pixels, extra), as often as it is asked for one.

        for pixels, extra in stacchip.Batches(db, "SELECT row, chipid FROM chips", 32, shuffle=1):
            print(pixels.shape, extra["chipid"])

    pixels is an array of (n, bands, rows, columns) in shared memory that stacchip's threads read ahead into; **it holds
    until the next one is asked for**: copy what is to stay. extra has the query's further columns, as lists.

    connection  of sqlite3 or apsw, with the extension loaded
    query       its first column is a handle (row), or a rowid with the option table
    memory_slots  batches that there is memory for, 2 to 64; at most two less are read ahead
    slot_bytes  of memory for each batch; None: as the query's first chip says. Say it where chips differ in shape or type
    pinned      have the memory page-locked by CUDA (through PyTorch), so that copies to a GPU run beside the reading
    options     those of stacchip_batches(): shuffle, ahead, drop_last, start, shard, and those of stacchip_stack()
    """

    def __init__(self, connection: Any, query: str, n: int, *, memory_slots: int = 3, slot_bytes: Optional[int] = None, pinned: bool = False, **options: Any) -> None:
        self.connection, self.query, self.n = connection, query, n
        self.memory_slots, self.slot_bytes, self.pinned, self.options = memory_slots, slot_bytes, pinned, options

    def __iter__(self) -> "Iterator[Tuple[numpy.ndarray[Any, Any], Dict[str, Any]]]":
        import numpy

        size = self.slot_bytes or self._slot_bytes()
        if not size:
            return
        size = self.memory_slots * -(-size // ALIGNMENT) * ALIGNMENT
        fd = os.memfd_create("stacchip batches", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, size)
            memory = numpy.frombuffer(mmap.mmap(fd, size), numpy.uint8)
            unpin = _pin(memory) if self.pinned else None
            into = {"fd": fd, "offset": 0, "bytes": size, "slots": self.memory_slots}
            rows = self._batches("batch, extra", self.query, self.n, {**self.options, "into": into})
            try:
                for batch, extra in rows:
                    if batch is not None:
                        b = json.loads(batch)
                        yield numpy.ndarray(b["shape"], b["dtype"], memory, b["offset"]), json.loads(extra)
            finally:
                rows.close()
                if unpin:
                    unpin(memory.ctypes.data)
        finally:
            os.close(fd)

    def _batches(self, columns: str, query: str, n: int, options: Dict[str, Any]) -> Any:
        return self.connection.execute(f"SELECT {columns} FROM stacchip_batches(?, ?, ?)", (query, n, json.dumps(options)))

    def _slot_bytes(self) -> int:
        """What a batch takes by the first chip that can be read; 0 where there is none."""
        whole_epoch = ("shuffle", "ahead", "drop_last", "start", "shard")
        options = {k: v for k, v in self.options.items() if k not in whole_epoch}
        chips = self.connection.execute(self.query)
        try:
            for handle, *_ in chips:
                if handle is None:
                    continue
                (query,), = self.connection.execute("SELECT 'SELECT ' || quote(?)", (handle,))
                for blob, in self._batches("batch", query, 1, {**options, "ahead": 0}):
                    if blob is not None:
                        return self.n * int(array(blob).nbytes)
        finally:
            chips.close()
        return 0


def _pin(memory: "numpy.ndarray[Any, Any]") -> Any:
    """Page-lock memory; gives the function that undoes it. The CUDA runtime is PyTorch's."""
    import torch

    if not torch.cuda.is_available():
        raise RuntimeError("pinned=True needs PyTorch with CUDA, and a GPU")
    cuda: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call, unused-ignore]
    torch.cuda.check_error(cuda.cudaHostRegister(memory.ctypes.data, memory.nbytes, 0))
    return cuda.cudaHostUnregister
