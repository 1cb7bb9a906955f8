"""Datasets for PyTorch: Batches reads an epoch in block order by one process, Chips gives chips by number."""
import json
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

import torch

from ._array import array
from ._batches import Batches as _Batches
from ._load import connect


class Batches(torch.utils.data.IterableDataset):  # type: ignore[type-arg, misc, unused-ignore]
    """One epoch of (pixels, extra), the tensors of stacchip.Batches; call set_epoch() for another order.

    stacchip's threads read ahead, into memory that is pinned where there is a GPU: a DataLoader is not needed, and one
    around it is given batch_size=None. **A batch holds until the next one is asked for.** Ranks of torch.distributed and
    workers of a DataLoader read disjoint shards, unless the option shard says otherwise. The other options are those of
    stacchip.Batches; by default chips are shuffled and the last batch is dropped unless it is full. PyTorch before 2.3
    has no uint16: dtype="int16" or "float32" gives it what it knows.
    """

    def __init__(self, path: "str | os.PathLike[str]", query: str, batch_size: int, *, seed: int = 0, mix: int = 16, **options: Any) -> None:
        self.path, self.query, self.batch_size, self.seed, self.mix = path, query, batch_size, seed, mix
        self.options: Dict[str, Any] = {"drop_last": True, "pinned": torch.cuda.is_available(), **options}
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tuple[torch.Tensor, Dict[str, Any]]]:
        order: Dict[str, Any] = {"shuffle": {"seed": self.seed + self.epoch, "mix": self.mix}, "shard": _shard()}
        db = connect(self.path)
        try:
            for pixels, extra in _Batches(db, self.query, self.batch_size, **{**order, **self.options}):
                yield torch.from_numpy(pixels), extra
        finally:
            db.close()


def _shard() -> List[int]:
    """[rank, world] of this worker of this process among all."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank, world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if distributed else (0, 1)
    worker: Any = torch.utils.data.get_worker_info()  # type: ignore[no-untyped-call, unused-ignore]
    return [rank * worker.num_workers + worker.id, world * worker.num_workers] if worker else [rank, world]


class Chips(torch.utils.data.Dataset):  # type: ignore[type-arg, misc, unused-ignore]
    """The chips of a merged index by number, for samplers of your own. In random order a chip costs what its blocks cost.

    Each process opens a connection when it reads its first chip. Give workers of a DataLoader one thread
    (STACCHIP_THREADS=1) and a small cache (STACCHIP_CACHE_BYTES) each. options are those of stacchip_stack().
    """

    def __init__(self, path: "str | os.PathLike[str]", where: str = "TRUE", *, table: str = "chips", **options: Any) -> None:
        self.path, self.options = path, json.dumps(options)
        self.table = '"' + table.replace('"', '""') + '"'
        self.db: Any = None
        self.owner: Optional[int] = None
        self.rowids = [r for r, in self._connection().execute(f"SELECT rowid FROM {self.table} WHERE {where} ORDER BY rowid")]

    def _connection(self) -> Any:
        if self.owner != os.getpid():  # after fork() a connection is of no use
            self.db, self.owner = connect(self.path), os.getpid()
        return self.db

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "db": None, "owner": None}  # it cannot be sent to a process that was spawned, either

    def __getitems__(self, numbers: List[int]) -> List[torch.Tensor]:
        """A whole batch by one call, each block read once. PyTorch 2 asks for it; before, chips come one by one."""
        rowids = json.dumps([self.rowids[i] for i in numbers])
        query = f"SELECT stacchip_stack(row, ?, key) FROM json_each(?) JOIN {self.table} AS chip ON chip.rowid = value"
        (blob,), = self._connection().execute(query, (self.options, rowids))
        return list(torch.from_numpy(array(blob, writable=True)))

    def __getitem__(self, number: int) -> torch.Tensor:
        return self.__getitems__([number])[0]

    def __len__(self) -> int:
        return len(self.rowids)
