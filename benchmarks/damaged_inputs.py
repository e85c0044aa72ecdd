"""Random damage of every kind of file that a fit reads: each is refused in a sentence, or read with the same numbers.

    python benchmarks/damaged_inputs.py [--count 300] [--seed 1] [--kind pdfset ...] [--show]

Every damaged copy is read by a process of its own, so that a library that ends the process or hangs is seen. `changed`
counts what was read with other numbers. Where a checksum lies beside the data that is a fault, as are a traceback, a
text of a library's panic, an end of the process and a hang; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
X = np.geomspace(1e-6, 0.9, 25)
TABLES = ("NNPDF_POS_FLL_40", "NNPDF_INTEG_XV8_40", "HERA_CC_318GEV_EM_SIGMARED")
DATASET = "HERA_CC_318GEV_EM-SIGMARED"
SECONDS = 60.0


@dataclass(frozen=True)
class Kind:
    """A kind of input: how a good one is made in an empty folder, and the numbers that are read from it."""

    make: Callable[[Path], None]
    read: Callable[[Path], list[np.ndarray]]
    sealed: bool = False
    """whether checksums tell every change of the numbers"""


def _make_pdfset(folder: Path) -> None:
    from hyperparton.data.pdfsets import SHIPPED_SET, find_pdfset

    for path in find_pdfset(SHIPPED_SET).path.iterdir():
        if not path.name.endswith("_0001.dat"):
            shutil.copy(path, folder / path.name.replace(SHIPPED_SET, "mine"))


def _make_thresholds(folder: Path) -> None:
    """A set of two grids in Q, as those of the field are."""
    head = "SetDesc: two\nSetIndex: 1\nFormat: lhagrid1\nNumMembers: 1\nParticle: 2212\nFlavors: [-1, 1, 2, 21]\n"
    limits = "OrderQCD: 1\nErrorType: replicas\nXMin: 1e-6\nXMax: 1\nQMin: 1\nQMax: 1000\nAlphaS_Type: ipol\n"
    (folder / "mine.info").write_text(head + limits + "AlphaS_Qs: [1, 10, 100]\nAlphaS_Vals: [0.4, 0.2, 0.1]\n")
    x = np.geomspace(1e-6, 1, 30)
    text = "PdfType: central\nFormat: lhagrid1\n---\n"
    for q in (np.geomspace(1, 4.92, 5), np.geomspace(4.92, 1000, 6)):
        rows = [" ".join(f"{a * (1 - b) * (1 + c):.7e}" for c in range(4)) for b in x for a in q]
        knots = [" ".join(f"{node:.7e}" for node in nodes) for nodes in (x, q)]
        text += "\n".join([*knots, "-1 1 2 21", *rows, "---\n"])
    (folder / "mine_0000.dat").write_text(text)


def _read_pdfset(folder: Path) -> list[np.ndarray]:
    from hyperparton.data.pdfsets import PDFSet

    return [PDFSet("mine", folder).evolution_basis(X, q, [0]) for q in (1.65, 7.0)]


def _model() -> Any:
    from hyperparton.pdf.model import PDFModel
    from hyperparton.pdf.network import Architecture
    from hyperparton.pdf.preprocessing import Preprocessing

    names = ("sng", "g", "v", "v3", "v8", "t3", "t8", "t15")
    ranges = tuple((0.6, 0.9) for _ in names), tuple((1.5, 3.0) for _ in names)
    layers = Architecture((7, 5, 8), ("tanh", "sigmoid", "linear"), "dense", 2)
    return PDFModel(layers, "EVOL", names, Preprocessing(*ranges, (False,) * len(names), True), "All", None)


def _make_n3fits_weights(folder: Path) -> None:
    shutil.copy(ROOT / "tests/oracle/data/weights/dense.weights.h5", folder / "mine.h5")


def _make_weights(folder: Path) -> None:
    from hyperparton.interop.weights import write_weights

    model = _model()
    write_weights(folder / "mine.h5", model, model.start("glorot_normal", [3]))


def _read_weights(folder: Path) -> list[np.ndarray]:
    import jax

    from hyperparton.interop.weights import read_weights

    return jax.tree.leaves(read_weights(folder / "mine.h5", _model()))


def _make_tables(folder: Path) -> None:
    from hyperparton.data.theory_folder import TABLE_SUFFIX, find_theory

    source = find_theory(40_000_000).source.path
    (folder / "fastkernel").mkdir()
    for name in TABLES:
        shutil.copy(source / "fastkernel" / f"{name}{TABLE_SUFFIX}", folder / "fastkernel")
    shutil.copy(source / "theory_card.yaml", folder)


def _make_theory(folder: Path) -> None:
    from hyperparton.data.theory_folder import find_theory

    _make_tables(folder)
    manifest = json.loads((find_theory(40_000_000).source.path / "manifest.json").read_text())
    manifest["tables"] = {name: manifest["tables"][name] for name in TABLES}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))


def _read_theory(folder: Path) -> list[np.ndarray]:
    from hyperparton.data.commondata import FKOperands
    from hyperparton.data.fktables import load_observable
    from hyperparton.data.theory_folder import find_theory, missing_tables
    from hyperparton.errors import TheoryError

    theory = find_theory(40_000_000, folder)
    numbers = [np.array([theory.card[key] for key in ("PTO", "IC")], dtype=float)]
    for name in TABLES:
        operands = FKOperands(((name,),), "NULL", 1.0, {}, {})
        if missing_tables(theory, [(name, operands, ())]):
            raise TheoryError(f"missing: {name}")
        (table,) = load_observable(name, operands, theory).tables
        numbers += [table.values, table.xgrid, table.channels, np.array(table.q0)]
    return numbers


def _make_archive(folder: Path) -> None:
    from hyperparton.trials.mongo.archive import pack_folder

    source = folder.parent / "packed"
    source.mkdir(exist_ok=True)
    generator = random.Random(1)
    for name in ("WiredTiger", "journal/log", "empty", "collection-0.wt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"" if name == "empty" else generator.randbytes(3000) + bytes(3000))
    pack_folder(source, folder / "mine.tar.gz")


def _read_archive(folder: Path) -> list[np.ndarray]:
    from hyperparton.trials.mongo.archive import unpack_folder

    unpack_folder(folder / "mine.tar.gz", folder / "unpacked")
    files = sorted(path for path in (folder / "unpacked").rglob("*") if path.is_file())
    return [
        np.frombuffer(part, np.uint8)
        for path in files
        for part in (str(path.relative_to(folder)).encode(), path.read_bytes())
    ]


def _make_data(folder: Path) -> None:
    from hyperparton.data.commondata import find_metadata

    shutil.copytree(find_metadata(DATASET, "legacy").path_kinematics.parent, folder / "HERA_CC_318GEV")


def _read_data(folder: Path) -> list[np.ndarray]:
    from hyperparton.data import commondata

    commondata.DEFAULT_PATH_VPDATA = folder
    data = commondata.load_commondata(commondata.find_metadata(DATASET, "legacy"))
    unc = data.uncertainties
    values = [*data.kinematics.values(), data.central, unc.stat, unc.additive, unc.multiplicative]
    return [*values, np.array([data.theory.conversion_factor])]


KINDS = {
    "pdfset": Kind(_make_pdfset, _read_pdfset),
    "pdfset-two-grids": Kind(_make_thresholds, _read_pdfset),
    "weights-of-n3fit": Kind(_make_n3fits_weights, _read_weights),
    "weights": Kind(_make_weights, _read_weights, sealed=True),
    "tables-alone": Kind(_make_tables, _read_theory),
    "theory": Kind(_make_theory, _read_theory, sealed=True),
    "archive": Kind(_make_archive, _read_archive, sealed=True),
    "data": Kind(_make_data, _read_data),
}

#: what may stand where a number or a word was
WORDS = (
    "---", "1_0", "-1", "0", "nan", ".inf", "1e999", "-1e-300", "1e308", "9" * 30, "0x1F", "1.0D-3", "1,5", "[]", "{}",
    "null", "~", "true", "abc", "'", '"', "*a", "&a", "!!python/object:os.system", ":", "#", "\t", "[1, 2", "é", "\x00",
    "2024-01-01", "- 1", "[[1]]", "1:30", "",
)  # fmt: skip


def damage(path: Path, chance: random.Random) -> str:
    """Damage one file in one of many ways; what was done."""
    whole = path.read_bytes()
    ways = [_flip, _flip, _truncate, _cut, _repeat, _insert, _zero, _append]
    try:
        whole.decode()
    except UnicodeDecodeError:
        texts = []
    else:
        texts = [_word, _word, _word, _drop_line, _drop_line, _swap_lines, _repeat_line, _line_ends, _bom]
    if chance.random() < 0.03:
        return _replace(path, chance)
    way = chance.choice(ways + texts)
    said, left = way(whole, chance)
    path.write_bytes(left)
    return f"{way.__name__[1:]} {said} in {path.name}"


def _replace(path: Path, chance: random.Random) -> str:
    way = chance.choice(("gone", "folder", "empty", "loop"))
    path.unlink()
    if way == "folder":
        path.mkdir()
    elif way == "empty":
        path.touch()
    elif way == "loop":
        path.symlink_to(path)
    return f"{way}: {path.name}"


def _flip(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    if not whole:
        return "nothing", whole
    place, bit = chance.randrange(len(whole)), chance.randrange(8)
    return f"bit {bit} of byte {place}", whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]


def _truncate(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    place = chance.randrange(len(whole) + 1)
    return f"at {place}", whole[:place]


def _range(whole: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(whole) + 1)
    return start, min(len(whole), start + int(10 ** (3.5 * chance.random())))


def _cut(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    start, end = _range(whole, chance)
    return f"{start}:{end}", whole[:start] + whole[end:]


def _repeat(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    start, end = _range(whole, chance)
    return f"{start}:{end}", whole[:end] + whole[start:]


def _insert(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    place, count = chance.randrange(len(whole) + 1), chance.randrange(1, 20)
    return f"{count} bytes at {place}", whole[:place] + chance.randbytes(count) + whole[place:]


def _zero(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    start, end = _range(whole, chance)
    return f"{start}:{end}", whole[:start] + bytes(end - start) + whole[end:]


def _append(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    count = chance.randrange(1, 600)
    return f"{count} bytes", whole + chance.randbytes(count)


def _word(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    lines = whole.decode().split("\n")
    at = chance.randrange(len(lines))
    words = lines[at].split(" ")
    place, word = chance.randrange(len(words)), chance.choice(WORDS)
    said = f"{words[place][:20]!r} -> {word[:20]!r} on line {at + 1}"
    words[place] = word
    lines[at] = " ".join(words)
    return said, "\n".join(lines).encode()


def _drop_line(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    lines = whole.split(b"\n")
    at = chance.randrange(len(lines))
    return f"{at + 1} {lines[at][:25]!r}", b"\n".join(lines[:at] + lines[at + 1 :])


def _swap_lines(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    lines = whole.split(b"\n")
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return f"{at + 1} {other + 1}", b"\n".join(lines)


def _repeat_line(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    lines = whole.split(b"\n")
    at = chance.randrange(len(lines))
    return f"{at + 1} {lines[at][:25]!r}", b"\n".join(lines[: at + 1] + lines[at:])


def _line_ends(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    return "CRLF", whole.replace(b"\n", b"\r\n")


def _bom(whole: bytes, chance: random.Random) -> tuple[str, bytes]:
    return "byte-order mark", b"\xef\xbb\xbf" + whole


def work(kind: Kind) -> None:
    """Read the folders named on standard input, one a line, and answer each with a line."""
    from hyperparton.errors import HyperpartonError

    for line in sys.stdin:
        try:
            numbers = kind.read(Path(line.strip()))
            total = hashlib.sha256(b"".join(f"{each.shape}".encode() + each.tobytes() for each in numbers)).hexdigest()
            answer = ("read", total)
        except HyperpartonError as error:
            answer = ("refused", str(error))
        except BaseException as error:
            answer = ("traceback", f"{type(error).__module__}.{type(error).__name__}: {error}")
        print(json.dumps(answer), flush=True)


class Reader:
    """A process that reads damaged inputs; one that ended is started again."""

    def __init__(self, kind: str, log: Path) -> None:
        self._command = [sys.executable, __file__, "--worker", kind]
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def read(self, folder: Path) -> tuple[str, str]:
        """(outcome, text) of a folder."""
        if self._process is None:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            with self._log.open("w") as log:
                self._process = subprocess.Popen(self._command, stderr=log, **pipes)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = self._log.stat().st_size
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{folder}\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        line = self._process.stdout.readline() if ready else ""
        said = self._log.read_bytes()[before:].decode(errors="replace")
        if line:
            outcome, text = json.loads(line)
            return ("panic", said) if "panicked" in said else (outcome, text)
        code = self.close(kill=not ready)
        return ("abort", f"exit code {code}: {said}") if ready else ("hang", "")

    def close(self, kill: bool = True) -> int | None:
        """End the process, or wait for its end; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        if kill:
            process.kill()
        with contextlib.suppress(BrokenPipeError), process:
            return process.wait()


def attack(name: str, count: int, seed: int, show: bool) -> tuple[Counter[str], list[str]]:
    """How often each outcome came, and the faults."""
    kind, chance = KINDS[name], random.Random(f"{name} {seed}")
    outcomes: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        good = Path(temporary) / "good"
        good.mkdir()
        kind.make(good)
        reader = Reader(name, Path(temporary) / "log")
        outcome, whole = reader.read(good)
        assert outcome == "read", whole
        shutil.rmtree(good / "unpacked", ignore_errors=True)
        for number in range(count):
            copy = Path(temporary) / f"copy{number}"  # what is read once is not read again from the same place
            shutil.copytree(good, copy)
            files = sorted(path for path in copy.rglob("*") if path.is_file())
            said = damage(chance.choice(files), chance)
            outcome, text = reader.read(copy)
            if outcome == "read":
                outcome = "same" if text == whole else "changed"
            outcomes[outcome] += 1
            if outcome in {"traceback", "panic", "abort", "hang"} or (outcome == "changed" and kind.sealed):
                faults.append(f"{name} {number}: {said}: {outcome}: {' '.join(text.split())[:300]}")
            if show:
                print(f"{name} {number}: {said}: {outcome}: {' '.join(text.split())[:300]}")
            shutil.rmtree(copy)
        reader.close()
    return outcomes, faults


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="damages of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=list(KINDS))
    parser.add_argument("--show", action="store_true", help="every damage and its outcome")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["HYPERPARTON_CACHE"] = "off"
    if arguments.worker:
        return work(KINDS[arguments.worker])
    bad = []
    for name in arguments.kind:
        outcomes, faults = attack(name, arguments.count, arguments.seed, arguments.show)
        print(f"{name}: {', '.join(f'{outcome} {number}' for outcome, number in outcomes.most_common())}", flush=True)
        bad += faults
    for fault in bad:
        print(fault)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
