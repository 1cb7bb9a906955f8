"""Batches for training by one process: python3 examples/torch_batches.py chips.db

stacchip reads ahead in threads of its own, in block order, into memory that is used again: no DataLoader workers are
needed. Where there is a GPU that memory is pinned, so that it may be copied from while the next batch is read.
"""
import json, mmap, os, sqlite3, sys
import numpy
import torch


class Batches(torch.utils.data.IterableDataset):
    """One epoch of (pixels, extra). A batch's memory is written again after two more: copy from it before."""

    def __init__(self, path, query, batch_size, slot_bytes, seed=0, slots=3, **options):
        self.path, self.query, self.batch_size, self.slots, self.bytes = path, query, batch_size, slots, slots * slot_bytes
        self.options = {"shuffle": {"seed": seed, "mix": 16}, "drop_last": True, **options}

    def __iter__(self):
        db, fd = sqlite3.connect(self.path), os.memfd_create("batches", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        db.enable_load_extension(True)
        db.load_extension("./stacchip")
        os.ftruncate(fd, self.bytes)
        memory = numpy.frombuffer(mmap.mmap(fd, self.bytes), numpy.uint8)
        cuda = torch.cuda.cudart() if torch.cuda.is_available() else None
        if cuda:
            torch.cuda.check_error(cuda.cudaHostRegister(memory.ctypes.data, self.bytes, 0))
        options = json.dumps({**self.options, "into": {"fd": fd, "offset": 0, "bytes": self.bytes, "slots": self.slots}})
        try:
            for batch, extra in db.execute("SELECT batch, extra FROM stacchip_batches(?, ?, ?)", (self.query, self.batch_size, options)):
                b = json.loads(batch)
                yield torch.from_numpy(numpy.ndarray(b["shape"], b["dtype"], memory, b["offset"])), json.loads(extra)
        finally:
            db.close()
            os.close(fd)
            if cuda:
                cuda.cudaHostUnregister(memory.ctypes.data)


if __name__ == "__main__":
    for pixels, extra in Batches(sys.argv[1], "SELECT row, chipid FROM chips", 8, 16 << 20, dtype="int16", assets=["red", "nir"]):
        print(tuple(pixels.shape), pixels.dtype, f"mean {pixels.float().mean():.1f}, the first is {extra['chipid'][0]}")
