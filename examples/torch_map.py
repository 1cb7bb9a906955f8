"""Chips by number, for samplers of your own: python3 examples/torch_map.py chips.db WORKERS [fork|spawn]

Each process opens a connection when it reads its first chip. Give workers one thread (STACCHIP_THREADS=1) and a small
cache each. In random order a chip costs what its blocks cost: see torch_batches.py.
"""
import io, json, os, sqlite3, sys
import numpy
import torch


class Chips(torch.utils.data.Dataset):
    def __init__(self, path, where="TRUE", **options):
        self.path, self.options, self.owner = path, json.dumps(options), None
        self.rowids = [r for r, in self.connection().execute(f"SELECT rowid FROM chips WHERE {where} ORDER BY rowid")]

    def connection(self):
        if self.owner != os.getpid():  # after fork() a connection is of no use
            self.db, self.owner = sqlite3.connect(self.path), os.getpid()
            self.db.enable_load_extension(True)
            self.db.load_extension("./stacchip")
        return self.db

    def __getstate__(self):  # it cannot be sent to a process that was spawned, either
        return {**self.__dict__, "db": None, "owner": None}

    def __getitems__(self, numbers):
        """A whole batch by one call, each block read once. PyTorch 2 asks for it; before, chips come one by one."""
        rowids = json.dumps([self.rowids[i] for i in numbers])
        query = "SELECT stacchip_stack(row, ?, key) FROM json_each(?) JOIN chips ON chips.rowid = value"
        blob, = self.connection().execute(query, (self.options, rowids)).fetchone()
        return list(torch.from_numpy(numpy.load(io.BytesIO(blob))))

    def __getitem__(self, number):
        return self.__getitems__([number])[0]

    def __len__(self):
        return len(self.rowids)


if __name__ == "__main__":
    path, workers, *start = sys.argv[1:]
    chips = Chips(path, "cloud_cover_percentage < 0.5", assets=["red", "nir"], dtype="int16")
    how = {"num_workers": int(workers), "multiprocessing_context": start[0] if start else None}
    for pixels in torch.utils.data.DataLoader(chips, batch_size=8, shuffle=True, **how):
        print(tuple(pixels.shape), pixels.dtype, f"mean {pixels.float().mean():.1f}")
