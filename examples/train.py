"""Train a small network to see clouds: python3 examples/train.py [ITEM [EPOCHS]]

Each chip's label is the cloud fraction that its index has. Without an ITEM a synthetic scene is made and indexed, and
training takes less than a minute on two cores without a GPU.
"""
import json, os, sqlite3, subprocess, sys, tempfile

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from torch_batches import Batches

ASSETS, SIZE, BATCH = ["red", "green", "blue", "nir"], 64, 32


def make_index(path, item):
    """An index of small chips, and mean and deviation of each band for normalising."""
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    db.load_extension("./stacchip")
    db.execute(f"CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size={SIZE}, max_nodata=0.1)")
    db.execute("INSERT INTO chips(item_json) VALUES (?)", (item,))
    db.commit()
    found = json.loads(db.execute("SELECT stacchip_band_stats(row, ?) FROM chips", (json.dumps({"assets": ASSETS}),)).fetchone()[0])
    db.close()
    return (torch.tensor(found[key]).float().view(1, -1, 1, 1) for key in ("mean", "std"))


def network():
    layers, n = [], len(ASSETS)
    for width in (16, 32, 64):
        layers += [torch.nn.Conv2d(n, width, 3, stride=2, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
        n = width
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(n, 1))


def train(path, mean, std, epochs):
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net, mean, std = network().to(device), mean.to(device), std.to(device)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    query = "SELECT row, cloud_cover_percentage AS cloud FROM chips"
    for epoch in range(epochs):
        losses = []
        for pixels, extra in Batches(path, query, BATCH, BATCH * len(ASSETS) * SIZE * SIZE * 2 + (2 << 20), seed=epoch, dtype="int16", assets=ASSETS):
            x = (pixels.to(device, non_blocking=True).float() - mean) / std
            y = torch.tensor(extra["cloud"], device=device)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x).flatten(), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}", flush=True)


def main():
    with tempfile.TemporaryDirectory() as work:
        item = sys.argv[1] if sys.argv[1:] else f"{work}/item.json"
        if not sys.argv[1:]:
            subprocess.run(["build/release/make_scene", "sentinel-2", work], check=True, stdout=subprocess.DEVNULL)
        mean, std = make_index(f"{work}/chips.db", os.path.abspath(item) if os.path.exists(item) else item)
        train(f"{work}/chips.db", mean, std, int(sys.argv[2]) if sys.argv[2:] else 5)


if __name__ == "__main__":
    main()
