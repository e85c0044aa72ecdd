"""Scans to report on, and a browser to look at the page with."""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest


def make_entry(number, loss, status="ok", seconds=10.0, begin=0.0, owner="host:1", **values):
    """An entry of tries.json whose parameters are `values`; times in seconds after noon of a day in 2026."""

    def text(moment):
        minutes, rest = divmod(moment, 60)
        return f"2026-01-31 12:{int(minutes):02d}:{rest:09.6f}"

    meta = values.pop("kfold_meta", None)
    result = {"status": status, "loss": loss} | ({} if meta is None else {"kfold_meta": meta})
    if status == "fail":
        result |= values.pop("failed_by", {})
    return {
        "state": 2,
        "tid": number,
        "spec": None,
        "result": result,
        "misc": {"tid": number, "vals": {}, "space_vals": values},
        "owner": owner,
        "book_time": text(begin),
        "refresh_time": text(begin + seconds),
    }


@pytest.fixture(scope="session")
def entry():
    return make_entry


@pytest.fixture
def rows(entry):
    """A function from (number, loss, values) and the like to trials."""
    from hyperparton.trials.tries_entry import from_tries

    def build(*trials):
        return [from_tries(entry(*trial[:2], **trial[2])) for trial in trials]

    return build


@pytest.fixture(scope="session")
def scan_folder(tmp_path_factory):
    """A function that writes a scan of n trials with a known best one, and gives its folder.

    The loss of trial n is 1 + (rate - 0.01)^2 1e4 + (0 for Adam, 1 for SGD); every tenth trial fails.
    """

    def write(count=40, name="scan"):
        entries = []
        for n in range(count):
            rate = 0.001 * (1 + (7 * n) % 20)
            optimizer = ("Adam", "SGD", "Adam")[n % 3]
            values = {
                "optimizer": {"optimizer_name": optimizer, "learning_rate": rate},
                "nodes_per_layer": [10 + n % 4, 8] if n % 2 else [5, 6 + n % 3, 8],
                "activation_per_layer": "tanh",
                "epochs": 100 + n,
            }
            loss = 1.0 + 1e4 * (rate - 0.01) ** 2 + (optimizer == "SGD")
            meta = {
                "validation_losses": [[loss, loss + 0.1], [loss + 0.2, loss + 0.3]],
                "experimental_losses": [[loss, loss], [loss, loss]],
                "hyper_losses": [[loss, loss], [loss, loss]],
                "hyper_losses_chi2": [loss, 2 * loss],
                "hyper_losses_phi2": [0.5, 0.25],
                "hyper_losses_logp": [-loss, loss],
                "trvl_losses_chi2exp": [1.0, 1.0],
            }
            told = {"status": "fail", "failed_by": {"failure": {"type": "NaNLoss", "message": "the loss is NaN"}}}
            fails = n % 10 == 9
            extra = told if fails else {"kfold_meta": meta}
            entries.append(make_entry(n, None if fails else loss, begin=10.0 * n, seconds=9.0, **values, **extra))
        folder = tmp_path_factory.mktemp("scan") / name
        (folder / "nnfit" / "replica_1").mkdir(parents=True)
        (folder / "filter.yml").write_text("description: <a card> & more\n")
        (folder / "nnfit" / "replica_1" / "tries.json").write_text(json.dumps(entries))
        return folder

    return write


class Browser:
    """A headless Chromium, spoken to by the WebDriver protocol."""

    def __init__(self, driver, base, session):
        self._driver, self._base, self._session = driver, base, session

    def call(self, method, path, body=None):
        return _call(f"{self._base}/session/{self._session}{path}", method, body)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script):
        """What JavaScript of the driver's own gives; it works with the page's scripts switched off too."""
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def element(self, selector):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        return next(iter(found.values()))

    def text(self, selector):
        return self.call("GET", f"/element/{self.element(selector)}/text")

    def texts(self, selector):
        found = self.call("POST", "/elements", {"using": "css selector", "value": selector})
        return [self.call("GET", f"/element/{next(iter(entry.values()))}/text") for entry in found]

    def displayed(self, selector):
        return self.call("GET", f"/element/{self.element(selector)}/displayed")

    def size(self, selector):
        found = self.call("GET", f"/element/{self.element(selector)}/rect")
        return found["width"], found["height"]

    def click(self, selector):
        self.call("POST", f"/element/{self.element(selector)}/click", {})

    def write(self, selector, text):
        self.call("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def narrow(self, width):
        """Show pages as a screen of so many pixels does."""
        sizes = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": sizes})

    def requests(self):
        """The addresses that pages asked for since the last call, but for the browser's own and data inside a page."""
        log = self.call("POST", "/se/log", {"type": "performance"})
        events = [json.loads(line["message"])["message"] for line in log]
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("chrome", "data:"))]

    def complaints(self):
        """What the browser's console says."""
        return [line["message"] for line in self.call("POST", "/se/log", {"type": "browser"})]


def _call(url, method, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())["value"]
    except urllib.error.HTTPError as fault:
        with fault:
            raise AssertionError(f"{method} {url}: {fault.read().decode()[:500]}") from None


@pytest.fixture(scope="session")
def chromedriver(tmp_path_factory):
    """Chromium and the address of a running chromedriver; tests skip, and say so, where Debian's packages are not."""
    program, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not program or not chromium:
        pytest.skip("the page was NOT looked at in a browser: apt-get install chromium chromium-driver")
    log = tmp_path_factory.mktemp("chromedriver") / "log"
    with log.open("w") as file:
        process = subprocess.Popen([program, "--port=0"], stdout=file, stderr=subprocess.STDOUT, env=_environment())
    try:
        yield chromium, _address(log, process)
    finally:
        process.terminate()
        process.wait(10)


def _environment():
    return {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}


def _address(log, process):
    for _ in range(600):
        for word in log.read_text().split():
            if word.rstrip(".").isdigit() and "started successfully on port" in log.read_text():
                port = log.read_text().rsplit("on port", 1)[1].split()[0].rstrip(".")
                return f"http://127.0.0.1:{port}"
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"chromedriver did not start: {log.read_text()}")


@pytest.fixture
def browse(chromedriver, tmp_path):
    """A context manager that gives a Browser; with `scripts=False` pages run no JavaScript."""
    chromium, base = chromedriver

    @contextlib.contextmanager
    def start(scripts=True):
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"]
        arguments.append(f"--user-data-dir={tmp_path / 'profile'}-{scripts}")
        options = {"binary": chromium, "args": arguments}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        session = _call(f"{base}/session", "POST", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        browser = Browser(chromium, base, session)
        try:
            yield browser
        finally:
            browser.call("DELETE", "")

    return start
