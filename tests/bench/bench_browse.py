"""bench_browse.py MAKE_CHIPS FOLDER CHIPS...: how long `stacchip browse` takes to its first drawing and for a filter.

For each number of chips a merged index is made in FOLDER (kept there for the next run), and the page's own requests are
made: seconds from the start of the program until all chips are drawn, the median of nine filters, each with histograms
beside it, of SQL until its first and its last answer, CPU and the most memory that the server had.
"""
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.parse

PROGRAM = os.path.join(os.path.dirname(os.environ.get("STACCHIP_EXT", "build/release/stacchip")), "stacchip")
VIEW = {"table": "chips", "bbox": [-180, -75, 180, 75], "width": 1280, "height": 800, "color": "cloud"}
LIMITS = {1_000_000: (2, 0.3), 10_000_000: (5, 1)}  # seconds: first drawing, a filter


class Server:
    def __init__(self, path):
        self.start = time.monotonic()
        self.process = subprocess.Popen([PROGRAM, "browse", path], stdout=subprocess.PIPE, text=True)
        self.address = urllib.parse.urlsplit(self.process.stdout.readline().strip())
        self.connection = http.client.HTTPConnection(self.address.netloc, timeout=300)

    def ask(self, path, body):
        begin = time.monotonic()
        self.connection.request("POST", self.address.path + path, json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        if "error" in answer:
            raise SystemExit(f"{path}: {answer['error']}")
        return answer, time.monotonic() - begin

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) / 1000 for line in f if line.startswith(key))

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def until_whole(server, body):
    """Seconds until the first answer, and until one that is not partial."""
    begin = time.monotonic()
    answer, first = server.ask("api/map", body)
    while "partial" in answer:
        time.sleep(0.1)
        answer, _ = server.ask("api/map", body)
    return first, time.monotonic() - begin, answer["total"]


def filters(rng):
    for _ in range(3):
        yield {"cloud": [0, round(rng.uniform(0.05, 0.9), 2)]}
        yield {"date": [f"202{rng.randrange(4)}-03-01", "2024-06-30"], "nodata": [0, 0.2]}
        lon, lat = rng.uniform(-170, 100), rng.uniform(-60, 20)
        yield {"platform": ["naip", "modis"], "bbox": [lon, lat, lon + 60, lat + 40], "cloud": [0, 0.3]}


def run(make_chips, folder, n):
    path = os.path.join(folder, f"browse-{n}.db")
    if not os.path.exists(path):
        subprocess.run([make_chips, path, str(n)], check=True)
    server = Server(path)
    until_whole(server, VIEW)
    drawn = time.monotonic() - server.start
    cpu = server.cpu()
    times = []
    for f in filters(random.Random(7)):
        body = {**VIEW, **f}
        _, map_s = server.ask("api/map", body)
        _, histogram_s = server.ask("api/histograms", {"table": "chips", **f})
        times.append(map_s + histogram_s)
    sql_first, sql_whole, total = until_whole(server, {**VIEW, "where": "chip_index_x % 7 = 3 AND cloud_cover_percentage < 0.5"})
    color_first, color_whole, _ = until_whole(server, {**VIEW, "color": "chip_index_x + chip_index_y"})
    limits = LIMITS.get(n, (None, None))
    say = lambda v, limit: f"{v:.2f} s" + (f" (limit {limit} s)" if limit else "")
    print(f"{n} chips: first drawing {say(drawn, limits[0])}, {cpu:.2f} s of CPU; a filter {say(statistics.median(times), limits[1])}, at most {max(times):.2f} s; "
          f"SQL {sql_first:.2f} s to its first answer, {sql_whole:.2f} s to its last ({total} chips); colours by SQL {color_first:.2f} s, {color_whole:.2f} s; "
          f"memory {server.status('VmHWM'):.0f} MB (limit 300 MB)")
    server.stop()


def main():
    make_chips, folder, *counts = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for n in counts:
        run(make_chips, folder, int(n))


if __name__ == "__main__":
    main()
