"""`status`, `dashboard`, `report` and the logs as a user meets them: a scan at work, a terminal, a browser."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

SLOW = """
import pathlib
import time

GATE = pathlib.Path(__file__).with_name("gate")


class Slow:
    count = 0

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        self.count += 1
        while self.count > {before} and not GATE.exists():
            time.sleep(0.05)
        if params["x"] > 4:
            raise RuntimeError("x is too large")
        return {{"status": "ok", "loss": (params["x"] - 2.0) ** 2}}


def make(card):
    return Slow()
"""

CARD = """\
trainer: slow:make
parameters: {x: 0.0}
hyperscan_config:
  space: {x: {min: -5, max: 5}}
"""

PROGRAM = [sys.executable, "-c", "import sys; sys.argv[0] = 'hyperparton'; from hyperparton.cli import main; main()"]


@pytest.fixture
def card(tmp_path):
    """A function that writes a card whose trials, after the first few, wait until the file `gate` is there."""

    def write(before=1000):
        (tmp_path / "slow.py").write_text(SLOW.format(before=before))
        path = tmp_path / "card.yml"
        path.write_text(CARD)
        return path

    return write


@pytest.fixture
def background():
    """A function that starts `hyperparton ARGUMENTS`; what still runs at the end is ended."""
    started = []

    def start(*arguments, **options):
        process = subprocess.Popen([*PROGRAM, *map(str, arguments)], text=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def hyperparton():
    """A function that runs `hyperparton ARGUMENTS` and gives (exit code, standard output, standard error)."""

    def run(*arguments):
        done = subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout, done.stderr

    return run


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def finished_in(folder):
    path = folder / "nnfit" / "replica_1" / "tries.json"
    return len(json.loads(path.read_text())) if path.is_file() else 0


def test_status_before_during_and_after_a_scan(hyperparton, background, card, tmp_path):
    folder = tmp_path / "out"
    code, _, err = hyperparton("status", folder)
    assert code == 1
    assert "holds no trials" in err
    scan = background("scan", card(3), "--trials", 8, "-o", folder, "--engine", "random", stderr=subprocess.DEVNULL)
    wait_for(lambda: finished_in(folder) == 3)
    code, out, _ = hyperparton("status", folder)
    assert code == 0
    assert re.match(rf"out: 3 of 8 trials done, \d failed; at work: process {scan.pid} on ", out)
    assert re.search(r"^running: trial 3 for \d+ s$", out, flags=re.MULTILINE)
    follower = background("status", folder, "--follow", "--interval", 0.2, stdout=subprocess.PIPE)
    assert follower.stdout.readline().startswith("3 of 8 done, ")
    (tmp_path / "gate").touch()
    told, _ = follower.communicate(timeout=120)
    assert scan.wait(60) == 0
    lines = told.splitlines()
    assert any(line.startswith("8 of 8 done, ") for line in lines)
    trials = json.loads((folder / "nnfit" / "replica_1" / "tries.json").read_text())
    failed = [trial for trial in trials if trial["result"]["status"] == "fail"]
    assert f"out: 8 of 8 trials done, {len(failed)} failed; all done" in lines
    best = min((t for t in trials if t["result"]["status"] == "ok"), key=lambda trial: trial["result"]["loss"])
    assert any(line.startswith(f"best: loss {best['result']['loss']:.4g}, trial {best['tid']}: x ") for line in lines)
    if failed:
        assert f"last failure: trial {failed[-1]['tid']}: RuntimeError: x is too large" in lines


def test_a_killed_scan_is_not_called_at_work(hyperparton, background, card, tmp_path):
    folder = tmp_path / "out"
    scan = background("scan", card(2), "--trials", 50, "-o", folder, "--engine", "random", stderr=subprocess.DEVNULL)
    wait_for(lambda: finished_in(folder) == 2)
    scan.kill()
    scan.wait(10)
    code, out, _ = hyperparton("status", folder, "--follow")
    assert code == 0
    assert "2 of 50 trials done" in out
    assert "nobody is at work on it" in out


def test_status_on_a_terminal(background, card, tmp_path):
    folder = tmp_path / "out"
    background("scan", card(2), "--trials", 6, "-o", folder, "--engine", "random", stderr=subprocess.DEVNULL)
    wait_for(lambda: finished_in(folder) == 2)
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    follower = background(
        "status", folder, "--follow", "--interval", 0.2, stdout=slave, stderr=slave, stdin=slave, env=environment
    )
    os.close(slave)
    screen = read_all(master, follower, until="2 of 6 trials done")
    (tmp_path / "gate").touch()
    screen += read_all(master, follower)
    os.close(master)
    assert follower.wait(10) == 0
    assert "\x1b[" in screen  # drawn over itself, as on a terminal
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert "6 of 6 trials done" in plain
    assert plain.count("━") > 20
    assert "all done" in plain


def read_all(master, process, until=None):
    """What a terminal shows, to its end or until it shows a text."""
    text = b""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.2)
        try:
            piece = os.read(master, 65536) if ready else b""
        except OSError:  # the other side has closed
            break
        text += piece
        if until is not None and until.encode() in text:
            break
        if not ready and process.poll() is not None:
            break
    return text.decode(errors="replace")


def test_dashboard_follows_the_scan_in_a_browser(background, card, tmp_path, browse):
    folder = tmp_path / "out"
    server = background("dashboard", folder, "--port", 0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    url = server.stdout.readline().strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
    with browse() as browser:
        browser.open(url)
        assert "Waiting for trials" in browser.text("body")
        scan = ("scan", card(2), "--trials", 12, "-o", folder, "--engine", "random")
        background(*scan, stderr=subprocess.DEVNULL)

        def finished():
            told = browser.run("return document.querySelector('.counts')?.textContent ?? ''")  # none while it reloads
            return sum(int(n) for n in re.findall(r"(\d+) (?:succeeded|failed)", told))

        wait_for(lambda: finished() == 2 and "1 running" in browser.run("return document.body.innerText"))
        # what a reader has chosen stays, for the page is not loaded again
        browser.run("window.mine = 1")
        browser.write("#filter", "loss>0")
        browser.click("#trials thead th:nth-child(1) button")
        assert browser.run("const bar = document.querySelector('progress'); return [bar.value, bar.max]") == [2, 12]
        assert "2 of 12 trials done" in browser.text(".status")
        (tmp_path / "gate").touch()
        wait_for(lambda: finished() == 12, seconds=300)
        assert browser.run("return window.mine") == 1
        assert browser.run("return document.getElementById('filter').value") == "loss>0"
        assert browser.run("return document.querySelector('#trials th[aria-sort]').textContent") == "trial"
        assert browser.run("return document.querySelector('progress').value") == 12
        assert all(address.startswith(url) for address in browser.requests() if not address.endswith("favicon.ico"))
        assert [line for line in browser.complaints() if "favicon" not in line] == []
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0


def test_dashboard_answers_this_machine_alone(background, hyperparton, card, tmp_path):
    folder = tmp_path / "out"
    scan = background("scan", card(), "--trials", 3, "-o", folder, "--engine", "random", stderr=subprocess.DEVNULL)
    assert scan.wait(120) == 0
    server = background("dashboard", folder, "--port", 0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    url = server.stdout.readline().strip()
    # on port 80 a browser leaves the port out
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "localhost:80", "[::1]:8050", "[::1]"):
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=60) as answer:
            assert answer.status == 200
    refused = ("evil.example:80", "evil.example", "localhost.evil.example", "evil:localhost", "localhost:80:80", "[::1")
    for path, host, code in (*(("", name, 403) for name in refused), ("etc/passwd", None, 404)):
        request = urllib.request.Request(url + path, headers={"Host": host} if host else {})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        with caught.value:
            assert caught.value.code == code
    code, out, err = hyperparton("dashboard", folder, "--port", url.rsplit(":", 1)[1].strip("/"))
    assert (code, out) == (1, "")
    assert re.fullmatch(r"error: port \d+: cannot be listened on: Address already in use; --port 0 .*\n", err)


def test_logs_of_a_scan(hyperparton, card, tmp_path):
    folder, log = tmp_path / "out", tmp_path / "logs" / "events.jsonl"
    options = ("-o", folder, "--engine", "random", "--no-confirm", "--log-json", log)
    code, _, err = hyperparton("scan", card(), "--trials", 2, *options)
    assert code == 0, err
    assert "starts:" not in err
    code, _, err = hyperparton("scan", tmp_path / "card.yml", "--trials", 4, *options, "-v")
    assert code == 0, err
    assert re.search(r'^trial 2 of 4 starts: \{"x": -?\d\.\d+\}$', err, flags=re.MULTILINE)
    assert len(re.findall(r"^trial \d: .*; best ", err, flags=re.MULTILINE)) == 2
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(event["event"], event["tid"]) for event in events] == [
        (kind, number) for number in range(4) for kind in ("trial_started", "trial_finished")
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", event["time"]) for event in events)
    code, _, err = hyperparton("scan", tmp_path / "card.yml", "--trials", 4, "-o", folder, "--log-json", tmp_path)
    assert code == 1
    assert "cannot be written: Is a directory" in err


def test_report_and_best_from_the_command_line(hyperparton, card, tmp_path):
    folder = tmp_path / "out"
    assert hyperparton("scan", card(), "--trials", 5, "-o", folder, "--engine", "random")[0] == 0
    code, out, err = hyperparton("report", folder, "--title", "Five trials")
    assert code == 0, err
    assert out.splitlines()[0] == "Which methodology is best?"
    assert out.splitlines()[-1] == f"report: {folder / 'report' / 'index.html'}"
    page = (folder / "report" / "index.html").read_text()
    assert "<h1>Five trials</h1>" in page
    assert "hyperparton scan RUNCARD --trials 5 --engine random --seed 42" in page
    assert hyperparton("report", folder, "--filter", "loss<")[0] == 1
    listed = json.loads(hyperparton("best", folder, "--format", "json", "--top", "2")[1])
    assert [entry["loss"] for entry in listed] == sorted(entry["loss"] for entry in listed)
    assert set(listed[0]["parameters"]) == {"x"}
    block = hyperparton("best", folder, "--format", "yaml")[1]
    assert block == f"parameters:\n  x: {listed[0]['parameters']['x']!r}\n"
    assert hyperparton("best", folder, "--format", "table")[1].startswith("5 trials, ")
