"""Standard streams and logs that cannot be written: no traceback, nothing of a scan is lost, the exit code tells."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = [sys.executable, "-c", "from hyperparton.cli import main; main()"]

TRAINER = """
class Trainer:
    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        print("x" * 20000)
        return {"status": "ok", "loss": params["x"] ** 2}


def make(card):
    return Trainer()
"""

CARD = """\
trainer: noisy:make
parameters: {x: 0.0}
hyperscan_config:
  space: {x: {min: -5, max: 5}}
"""

FULL = "standard output cannot be written: No space left on device"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "noisy.py").write_text(TRAINER)
    (tmp_path / "card.yml").write_text(CARD)
    return tmp_path


@pytest.fixture
def shell(folder):
    """A function that runs `hyperparton ARGUMENTS` with redirections as a shell has them: (code, output, error)."""

    def run(line):
        code = f"exec {' '.join(map(_quoted, PROGRAM))} {line}"
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=folder, timeout=300)
        assert "Traceback" not in done.stdout + done.stderr
        assert "Exception ignored" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def _quoted(word):
    return "'" + word.replace("'", "'\\''") + "'"


def done_in(folder):
    entries = json.loads((folder / "out" / "nnfit" / "replica_1" / "tries.json").read_text())
    return [entry["result"]["status"] for entry in entries]


@pytest.mark.parametrize(
    ("redirections", "code", "says"),
    [
        ("> /dev/full", 1, f"error: {FULL}\n"),
        ("2> /dev/full", 1, "error: standard error cannot be written: No space left on device\n"),
        ("> /dev/full 2>&1", 1, ""),
        (">&-", 1, "error: standard output cannot be written: it is closed\n"),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
        (">&- 2>&- <&-", 1, ""),
        ("--log-json /dev/full", 1, "/dev/full: cannot be written: No space left on device: events are missing"),
    ],
)
def test_a_scan_goes_on(folder, shell, redirections, code, says):
    """Also where the trainer writes more than a buffer holds; and the next start finds all trials."""
    found = shell(f"scan card.yml --trials 4 -o out --engine random {redirections}")
    assert found[0] == code
    assert done_in(folder) == ["ok"] * 4
    assert says in found[1] + found[2]
    assert (found[1] + found[2]).count("cannot be written") <= 1 + redirections.startswith("--log-json")
    code, out, _ = shell("scan card.yml --trials 5 -o out --engine random")
    assert (code, done_in(folder)) == (0, ["ok"] * 5)
    assert "5 trials, 0 failed" in out


def test_a_scan_whose_reader_goes(folder):
    """`scan 2>&1 | head -1`: the pipe closes after the first line."""
    read, write = os.pipe()
    command = [*PROGRAM, "scan", "card.yml", "--trials", "6", "-o", "out", "--engine", "random"]
    process = subprocess.Popen(command, stdout=write, stderr=write, cwd=folder)
    os.close(write)
    os.read(read, 10)
    os.close(read)
    assert process.wait(120) == 1
    assert done_in(folder) == ["ok"] * 6


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A tries.json of two trials, with what a locale need not have."""
    folder = tmp_path_factory.mktemp("scanned")
    entries = [
        {"tid": n, "state": 2, "result": {"status": "ok", "loss": 1e308}, "misc": {"space_vals": {"\ud800χ": n}}}
        for n in range(2)
    ]
    (folder / "tries.json").write_text(json.dumps(entries))
    return folder / "tries.json"


@pytest.mark.parametrize("command", ["best", "best --format json", "best --format yaml", "status"])
def test_commands_whose_output_is_the_result(shell, scanned, command):
    line = f"{command} {scanned}"
    assert shell(f"{line} > /dev/full") == (1, "", f"error: {FULL}\n")
    assert shell(f"{line} >&-") == (1, "", "error: standard output cannot be written: it is closed\n")
    code, out, err = shell(f"{line} 2>&-")
    assert (code, err) == (0, "")
    assert out
    assert shell("best nothing_here 2> /dev/full")[0] == 1
    assert shell("best nothing_here 2>&-") == (1, "", "")


def test_help_and_wrong_usage(shell):
    assert shell("--help > /dev/full") == (1, "", f"error: {FULL}\n")
    assert shell("scan --help >&-")[0] == 1
    assert shell("bes 2>&-")[0] == 2


def test_letters_that_the_terminal_does_not_have(scanned):
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run([*PROGRAM, "best", scanned], capture_output=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert b"\\ud800\\u03c7" in done.stdout
    assert b"1e+308" in done.stdout
