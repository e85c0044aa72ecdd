"""Damages runcards at random, and looks whether `check` tells what is wrong with them.

    python benchmarks/mutated_cards.py --count 2000 --seed 1
    python benchmarks/mutated_cards.py --count 500 --seed 2 --cards nnpdf/n3fit/runcards --theory theories

The cards are those of `examples`, those of the tests and, with `--cards`, all of a folder. Each mutation changes one to
three things: keys and values are deleted, doubled, renamed, misspelt, exchanged, moved, wrapped, replaced by extreme or
odd ones, or bytes of the file are damaged. `check` must then give no traceback and not hang, and each line of its
message must name a place in the file. A card without faults is begun, as `scan` or `fit` would: it must come to its
first epoch. Cards whose inputs are not here are examined with `--no-theory`; they and cards of large data are not
begun.

Each finding is printed with its number, which `--only` runs again. The exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import copy
import io
import random
import re
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from hyperparton.cli.check import summary
from hyperparton.errors import HyperpartonError, TrialPrunedError
from hyperparton.runcard.card import Runcard
from hyperparton.space.samplers import Choice
from hyperparton.space.tree import choose, evaluate, sample
from hyperparton.workflow.cards import CheckedCard, check_card

ROOT = Path(__file__).parent.parent
OUR_CARDS = [*sorted((ROOT / "examples").glob("*.yml")), *sorted((ROOT / "tests" / "data").glob("*.yml"))]
#: of cards that are begun; those with more take minutes
MOST_POINTS = 1000

#: drawn more often than the others: their data are read quickly
QUICK = ["dis_small.yml"] * 30 + ["own_trainer.yml"] * 6

NUMBERS = [0, 1, -1, 2, 3, 0.5, -0.5, 1e-3, 100, 1e3, 1e-300, 1e300, -1e308, 5e-324, 2**31, 2**32, 2**63, 10**30]
NUMBERS += [float("inf"), float("nan"), 4096, 4097, 1.0000001, 10**400]
TEXTS = [
    "",
    " ",
    "x",
    "é",
    "a\nb",
    "\t",
    "x" * 300,
    "y" * 100_000,
    "../../x",
    "/",
    "a/b",
    "null",
    "1e3",
    "0x1F",
    "\u202e",
]
TEXTS += ["tanh", "linear", "Adam", "SGD", "EVOL", "FLAVOUR", "chi2", "phi2", "std", "log", "NNLO+", "N3LO-", "Q2 > 5"]
TEXTS += ["(" * 300, "x ** 1000", "log(x) >", "2020-01-01", "$x^{$", "%s{0}", "square_singlet", "dense_per_flavour"]
OTHERS = [None, True, False, [], {}, [[]], [None], {"": None}, {"min": 1, "max": 1}, {"min": 2, "max": 1}]
OTHERS += [{"min": 0.1, "max": 0.5, "sampling": "log"}, {"choice": [1, "a"]}, {"choice": []}, [1, 2, 3]]
KEYS = [
    "min",
    "max",
    "load",
    "theorycovmatconfig",
    "use_t0_sampling",
    "threshold",
    "space",
    "sum_rules",
    "x" * 2000,
    "<<",
]
KEYS += [
    "steps",
    "make_int",
    "variant",
    "weight",
    "frac",
    "feature_scaling_points",
    "same_trvl_per_replica",
    "é",
    "a.b",
]


class TimeUp(BaseException):
    """Raised by the clock in whatever runs."""


class Begun(BaseException):
    """The first epochs of a fit are done."""


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutate(card: dict[str, Any], rng: random.Random) -> str:
    """Change one thing; gives what was done."""
    path = rng.choice(list(places(card)) or [()])
    if not path:
        return "nothing"
    holder = card
    for key in path[:-1]:
        holder = holder[key]
    key, value = path[-1], holder[path[-1]]
    kind = rng.choice(("delete", "number", "number", "text", "other", "typo", "rename", "insert", "double", "exchange",
                       "wrap", "unwrap", "scale", "scale", "move"))  # fmt: skip
    if kind == "delete":
        del holder[key]
    elif kind in ("number", "text", "other"):
        holder[key] = copy.deepcopy(rng.choice({"number": NUMBERS, "text": TEXTS, "other": OTHERS}[kind]))
    elif kind in ("typo", "rename") and isinstance(holder, dict):
        del holder[key]
        holder[misspelt(str(key), rng) if kind == "typo" else rng.choice(KEYS)] = value
    elif kind == "insert" and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = copy.deepcopy(rng.choice([*NUMBERS, *TEXTS, *OTHERS]))
    elif kind == "double" and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(value))
    elif kind == "exchange":
        other = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == "wrap":
        holder[key] = rng.choice(([value], {"value": value}, {"choice": [value]}, [value] * 70))
    elif kind == "unwrap" and isinstance(value, dict | list) and value:
        holder[key] = next(iter(value.values())) if isinstance(value, dict) else value[0]
    elif kind == "scale" and isinstance(value, int | float) and not isinstance(value, bool):
        holder[key] = value * rng.choice((-1, 0.01, 0.5, 2, 10, 100)) if abs(value) < 1e200 else 1
    elif kind == "move":
        card[str(key)] = value
    else:
        return mutate(card, rng)
    return f"{kind} {path}"


def misspelt(word: str, rng: random.Random) -> str:
    """A word with one letter lost, doubled, exchanged or changed."""
    at = rng.randrange(max(len(word), 1))
    changed = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at : at + 1] * 2 + word[at + 1 :],
        word[:at] + "z" + word[at:],
    )
    return rng.choice(changed)


def damaged(text: bytes, rng: random.Random) -> bytes:
    """The file with some bytes changed, lost or doubled."""
    content = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 20))):
        at = rng.randrange(max(len(content), 1))
        kind = rng.choice(("bit", "byte", "cut", "lines", "tab", "end"))
        if kind == "bit" and content:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == "byte" and content:
            content[at] = rng.randrange(256)
        elif kind == "cut":
            del content[at : at + rng.randrange(1, 80)]
        elif kind == "lines":
            lines = content.splitlines(keepends=True) or [b"\n"]
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            content = bytearray(b"".join(lines))
        elif kind == "tab":
            content[at:at] = rng.choice(
                (b"\t", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{", b"&a *a", b"!!bool ", b"---\n")
            )
        elif rng.random() < 0.1:
            del content[at:]
    return bytes(content)


def mutation(path: Path, rng: random.Random) -> tuple[bytes, str]:
    """A damaged card as the bytes of a file, and what was done."""
    if rng.random() < 0.2:
        return damaged(path.read_bytes(), rng), "bytes"
    card = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    done = [mutate(card, rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    out = io.BytesIO()
    writer = YAML(typ="safe", pure=True)
    writer.width = 1_000_000
    writer.dump(card, out)
    return out.getvalue(), "; ".join(done)


def begin(checked: CheckedCard, rng: random.Random) -> None:
    """Come to the first epochs, as a scan with this card or a fit would; raises what they raise."""
    card, scanner, data = checked.card, checked.scanner, checked.data
    if not isinstance(card, Runcard):
        assert scanner is not None
        scanner.space_vals(sample(scanner.as_dict(), np.random.default_rng(1)))
        return
    assert data is not None
    from hyperparton.fit.mixed import fit_mixed
    from hyperparton.hyperloss.trainer import ModelTrainer

    def stop(*_: Any, **__: Any) -> None:
        raise Begun

    def prune(*_: Any, **__: Any) -> None:
        raise TrialPrunedError("begun", {})

    if scanner is None:
        assert checked.methodologies is not None
        fit_mixed(card, data, checked.methodologies.parameters, stop)
        return
    trainer = ModelTrainer.from_runcard(card, data, (1,), stop)
    trainer.report = prune
    trainer.set_hyperopt(True, scanner.hyper_keys)
    # programs are compiled for a shape of the network: most trials take the same
    share = rng.choice((0.0, *[0.5] * 18, 1.0))
    vals = choose(scanner.as_dict(), lambda s: 0 if isinstance(s, Choice) else s.value_at(share))
    trainer.hyperparametrizable(evaluate(scanner.as_dict(), vals))


def examine(path: Path, inputs: bool, options: dict[str, Any], rng: random.Random) -> tuple[str, str]:
    """(outcome, details) of one card: refused, begun, passed, or a finding: traceback, place, start."""
    try:
        checked = check_card(path, inputs=inputs, **options)
        "\n".join(summary(checked)).encode()
    except HyperpartonError as error:
        lines = str(error).splitlines()
        wrong = [line for line in lines if not re.match(rf"{re.escape(str(path))}:\d+:\d+: ", line) or len(line) > 4000]
        return ("place", wrong[0][:500]) if wrong or not lines else ("refused", lines[0])
    except Exception:
        return "traceback", traceback.format_exc()
    if not inputs or (checked.data is not None and checked.data.ndata > MOST_POINTS):
        return "passed", ""
    try:
        begin(checked, rng)
    except (Begun, TrialPrunedError):
        return "begun", ""
    except Exception:
        return "start", traceback.format_exc()
    return "begun", ""


def within(seconds: float, *arguments: Any) -> tuple[str, str]:
    """`examine`, unless it takes longer."""

    def ring(*_: Any) -> None:
        raise TimeUp

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return examine(*arguments)
    except TimeUp:
        return "hang", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def main(arguments: list[str] | None = None) -> int:
    """Run; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation: for a run in pieces")
    parser.add_argument("--only", type=int, help="run this mutation alone, and show the card")
    parser.add_argument("--cards", type=Path, help="folder of more cards")
    parser.add_argument("--foreign", action="store_true", help="take the cards of --cards alone")
    parser.add_argument("--quick", action="store_true", help="take the quick cards alone")
    parser.add_argument("--theory", type=Path, help="folder of FK tables for the cards")
    parser.add_argument("--t0pdfset", help="t0 set in place of the cards'")
    parser.add_argument("--seconds", type=float, default=120.0, help="limit of each card")
    given = parser.parse_args(arguments)
    more = sorted(given.cards.rglob("*.yml")) if given.cards else []
    quick = [ROOT / "examples" / name for name in QUICK]
    cards = more if given.foreign else quick if given.quick else [*OUR_CARDS, *more, *quick]
    options = {"theory": given.theory, "t0pdfset": given.t0pdfset}
    outcomes: Counter[str] = Counter()
    whole: dict[Path, bool] = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        numbers = range(given.first, given.first + given.count) if given.only is None else [given.only]
        for number in numbers:
            rng = random.Random(f"{given.seed} {number}")
            source = rng.choice(cards)
            if source not in whole:
                whole[source] = _has_inputs(source, options)
            content, done = mutation(source, rng)
            path = Path(folder) / source.name
            path.write_bytes(content)
            own = {key: value for key, value in options.items() if b"trainer:" not in content}
            outcome, details = within(given.seconds, path, whole[source], own, rng)
            outcomes[outcome] += 1
            if sum(outcomes.values()) % 50 == 0:
                print(f"after {sum(outcomes.values())}: {dict(outcomes)}", file=sys.stderr, flush=True)
            if given.only is not None:
                sys.stdout.write(content.decode(errors="replace") + "\n")
            if outcome not in ("refused", "begun", "passed") or given.only is not None:
                print(f"--- {number}: {outcome}: {source.name}: {done[:300]}\n{details}", flush=True)
    print(f"{sum(outcomes.values())} cards: {', '.join(f'{count} {name}' for name, count in sorted(outcomes.items()))}")
    return 1 if set(outcomes) - {"refused", "begun", "passed"} else 0


def _has_inputs(source: Path, options: dict[str, Any]) -> bool:
    """Whether the card as it is has its inputs here."""
    try:
        own = options if "trainer:" not in source.read_text(encoding="utf-8") else {}
        check_card(source, **own)
    except HyperpartonError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
