"""Pictures of the page for docs/: `page_pictures.py FOLDER` shows the database of showcase.py, at three sizes, light and dark."""
import os
import subprocess
import sys
import tempfile

import host
import page_browser
import showcase

SIZES = {"desktop": (1440, 900), "tablet": (900, 1100), "phone": (390, 844)}
PLACE = "m=12,-32.6,-62.9"
#  name, size, scheme, hash, steps of page_drive.mjs
PICTURES = [
    ("desktop-light", "desktop", "light", "", [["key", "b"]]),
    ("desktop-dark", "desktop", "dark", "i=1&m=12.5,-32.605,-62.925&c=0,0.3&o=date desc", [["wait", 5000]]),
    ("tablet-light", "tablet", "light", "k=date&g=sample", [["key", "g"], ["key", "Space"], ["key", "ArrowRight"], ["key", "ArrowRight"], ["key", "Space"]]),
    ("tablet-dark", "tablet", "dark", "id=33&r=nir,red,green", [["wait", 4000]]),
    ("phone-light", "phone", "light", "o=cloud", [["click", "[data-part=chips-part]"]]),
    ("phone-dark", "phone", "dark", "id=33", [["wait", 4000]]),
]


def main(folder):
    work = tempfile.mkdtemp(prefix="stacchip_pictures_")
    showcase.make(work)
    server = subprocess.Popen([os.path.join(os.path.dirname(host.EXT), "stacchip"), "browse", "--read-write", os.path.join(work, "chips.db")], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    runs = [{"name": name, "scenario": "look", "url": f"{url}#{view}", "scheme": scheme, "viewport": dict(zip(("width", "height"), SIZES[size])), "steps": steps, "file": os.path.join(work, name + ".png")}
            for name, size, scheme, view, steps in PICTURES]
    for name, result in page_browser.drive(runs).items():
        print(name, result["error"] or "", result["errors"])
        subprocess.run(["gdal_translate", "-q", "-of", "WEBP", "-co", "QUALITY=82", os.path.join(work, name + ".png"), os.path.join(folder, f"browse-{name}.webp")], check=True, env={**os.environ, "GDAL_PAM_ENABLED": "NO"})
    server.terminate()
    server.communicate()


if __name__ == "__main__":
    main(sys.argv[1])
