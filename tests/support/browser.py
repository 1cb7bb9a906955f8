"""Headless Chromium for tests, by its debugging protocol over a pipe: open a page, evaluate, take a picture, and what was asked for."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium")


class Browser:
    def __init__(self, width=1280, height=1000):
        self.folder = tempfile.mkdtemp(prefix="stacchip_browser_")
        ours, its = os.pipe(), os.pipe()
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
                   "--remote-debugging-pipe", f"--user-data-dir={self.folder}", f"--window-size={width},{height}", "about:blank"]

        def fds():
            a, b = os.dup(ours[0]), os.dup(its[1])  # 3 and 4 may be among these
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(command, preexec_fn=fds, close_fds=False, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(its[1])
        self.out, self.inn = os.fdopen(ours[1], "wb", 0), os.fdopen(its[0], "rb", 0)
        self.rest, self.id, self.requests = b"", 0, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.send(domain + ".enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)

    def message(self):
        while b"\0" not in self.rest:
            more = self.inn.read(1 << 16)
            if not more:
                raise OSError("the browser ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def send(self, method, **params):
        self.id += 1
        said = {"id": self.id, "method": method, "params": params}
        if getattr(self, "session", None):
            said["sessionId"] = self.session
        self.out.write(json.dumps(said).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("method") == "Network.requestWillBeSent":
                self.requests.append(m["params"]["request"]["url"])
            if m.get("id") == self.id:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]

    def evaluate(self, script):
        """The value of an expression in the page."""
        return self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"].get("value")

    def until(self, script, seconds=60):
        """The value of an expression as soon as it is true."""
        end = time.monotonic() + seconds
        while True:
            value = self.evaluate(script)
            if value or time.monotonic() > end:
                return value
            time.sleep(0.05)

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def type(self, text):
        """Into what has the focus."""
        self.send("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):  # what listens to keys alone hears one
            self.send("Input.dispatchKeyEvent", type=kind, key="Shift")

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.out.close()
        self.inn.close()
        shutil.rmtree(self.folder, ignore_errors=True)
