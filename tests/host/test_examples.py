"""The examples for PyTorch, run by Debian's python3-torch (make deps-torch)."""
import os
import re
import subprocess
import tempfile
import unittest

import host
import web

PYTHON = "/usr/bin/python3"
HAS_TORCH = subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode == 0
# The sanitizers' build needs a preload, under which PyTorch does not start; the examples load ./stacchip, the release build.
ENV = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}


def example(name, *arguments, code=None):
    r = subprocess.run([PYTHON, *(["-c", code] if code else [f"examples/{name}.py"]), *arguments], cwd=host.ROOT, env=ENV, capture_output=True, text=True, timeout=300)
    if r.returncode:
        raise AssertionError(r.stderr[-2000:])
    return r.stdout.splitlines()


@unittest.skipUnless(HAS_TORCH, "python3-torch is not there (make deps-torch)")
class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.db = f"{cls.folder.name}/chips.db"
        web.cold(cls.db, ["CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)"],
                 ["INSERT INTO chips(item_json) VALUES (?)", [os.path.join(web.scene("sentinel-2", 1536), "item.json")]])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_short_enough_to_copy(self):
        for name in ("torch_batches", "torch_map"):
            with open(os.path.join(host.ROOT, "examples", f"{name}.py")) as f:
                self.assertLessEqual(len(f.readlines()), 45, name)

    def test_batches(self):
        lines = example("torch_batches", self.db)
        self.assertEqual(len(lines), 36 // 8)
        for line in lines:
            self.assertRegex(line, r"^\(8, 2, 256, 256\) torch.int16 mean \d+\.\d, the first is \S+$")

    def test_batches_have_the_pixels_of_their_chips(self):
        """Several epochs, one ended early: no descriptor is left, and each batch is the stack of its chips."""
        code = """
import os, sys; sys.path.insert(0, "examples")
import io, json, sqlite3, numpy
from torch_batches import Batches
db = sqlite3.connect(sys.argv[1]); db.enable_load_extension(True); db.load_extension("./stacchip")
def epoch(seed, most):
    for k, (pixels, extra) in enumerate(Batches(sys.argv[1], "SELECT row, chipid FROM chips", 5, 3 << 20, seed=seed, assets=["nir", "red"], dtype="int16")):
        if k == most: break
        blob = db.execute("SELECT stacchip_stack(row, '{\\"assets\\": [\\"nir\\", \\"red\\"], \\"dtype\\": \\"int16\\"}', key) FROM json_each(?) JOIN chips ON chipid = value", (json.dumps(extra["chipid"]),)).fetchone()[0]
        assert (numpy.load(io.BytesIO(blob)) == pixels.numpy()).all()
        print(*extra["chipid"])
epoch(1, 9); n = len(os.listdir("/proc/self/fd")); epoch(1, 9); epoch(2, 1); epoch(2, 2)
assert len(os.listdir("/proc/self/fd")) == n
"""
        lines = example(None, self.db, code=code)
        self.assertEqual(len(lines), 17)
        self.assertEqual(lines[:7], lines[7:14])
        self.assertEqual(len({c for line in lines[:7] for c in line.split()}), 35)
        self.assertNotEqual(lines[0], lines[14])

    def test_by_number_with_fork_and_spawn(self):
        for arguments in (["0"], ["2"], ["2", "fork"], ["2", "spawn"]):
            with self.subTest(arguments):
                lines = example("torch_map", self.db, *arguments)
                self.assertEqual(sum(int(re.match(r"\((\d+), 2, 256, 256\) torch.int16 mean \d", line)[1]) for line in lines), 35)

    def test_items_by_number(self):
        code = """
import sys; sys.path.insert(0, "examples")
from torch_map import Chips
c = Chips(sys.argv[1], assets=["red"], dtype="int16")
a, b = c[3], c.__getitems__([5, 3, 0])
assert (b[1] == a).all() and (b[0] == c[5]).all() and not (b[0] == b[2]).all()
print(len(c), tuple(a.shape))
"""
        self.assertEqual(example(None, self.db, code=code), ["36 (1, 256, 256)"])

    def test_training_makes_the_loss_fall(self):
        lines = example("train", os.path.join(web.scene("sentinel-2", 1536), "item.json"), "6")
        losses = [float(re.fullmatch(r"epoch \d+: loss (\d\.\d+)", line)[1]) for line in lines]
        self.assertEqual(len(losses), 6)
        self.assertLess(losses[-1], 0.85 * losses[0])


if __name__ == "__main__":
    host.main()
