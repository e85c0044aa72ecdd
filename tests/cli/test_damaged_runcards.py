"""Two hundred damaged runcards: each is an error that names the file, none is a traceback."""

import copy
import functools
import random
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

CARD = Path(__file__).parent.parent.parent / "examples" / "dis_small.yml"
#: keys without which a card still means something
OPTIONAL = {
    "description", "frac", "variant", "t0pdfset", "q2min", "w2min", "mcseed", "genrep", "hyperscan_config", "kfold",
    "stopping", "min_patience", "max_patience", "optimizer", "learning_rate", "clipnorm", "sampling", "architecture",
    "initializers", "activations", "loss_type", "fold_statistic", "threshold", "layer_type", "dropout", "trainable",
    "datacuts", "optimizer_name",
}  # fmt: skip
#: names that must be known ones: the key, or the key of the list that they stand in
NAMES = {
    "dataset", "variant", "optimizer_name", "initializers", "activations", "loss_type", "fold_statistic", "datasets",
    "activation_per_layer", "initializer", "layer_type", "fitbasis", "fl", "sampling",
}  # fmt: skip
WRONG = [None, True, -1, "nonsense", [], {}, [1, "a"], {"a": 1}, 1e400]


def paths_of(node, path=()):
    """Every path below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths_of(value, (*path, key))


@functools.cache
def undamaged():
    return YAML(typ="safe", pure=True).load(CARD.read_text())


def fresh():
    return copy.deepcopy(undamaged())


def parent_of(card, path):
    for key in path[:-1]:
        card = card[key]
    return card


def deleted_keys():
    for path in paths_of(fresh()):
        if isinstance(path[-1], str) and path[-1] not in OPTIONAL:
            card = fresh()
            del parent_of(card, path)[path[-1]]
            yield f"without {path}", card


def misspelt_keys():
    for path in paths_of(fresh()):
        if isinstance(path[-1], str) and path[-1] != "description":
            card = fresh()
            holder = parent_of(card, path)
            holder[path[-1][:-1] + "qz"] = holder.pop(path[-1])
            within = path[0] in ("hyperscan_config", "kfold", "parameters", "dataset_inputs") and len(path) > 1
            if within or path[-1] not in OPTIONAL:
                yield f"misspelt key {path}", card


def misspelt_names():
    for path in paths_of(fresh()):
        card = fresh()
        holder = parent_of(card, path)
        key = path[-1] if isinstance(path[-1], str) else path[-2]
        if key in NAMES and isinstance(holder[path[-1]], str):
            holder[path[-1]] = holder[path[-1]][:-1] + "qz"
            yield f"misspelt name {path}", card


def wrong_types():
    rng = random.Random(3)
    for path in paths_of(fresh()):
        if path[-1] == "description":
            continue
        card = fresh()
        holder = parent_of(card, path)
        now = holder[path[-1]]
        usable = [w for w in WRONG if type(w) is not type(now) and not (w in (None, {}, []) and path[-1] in OPTIONAL)]
        usable = [w for w in usable if not isinstance(now, int | float) or isinstance(w, str | dict | list)]
        usable = [w for w in usable if path[-1] not in ("trainable", "genrep") or w is not None]
        holder[path[-1]] = rng.choice(usable)
        yield f"{holder[path[-1]]!r} at {path}", card


def broken_files():
    text = CARD.read_text()
    yield "empty", b""
    yield "blank", b"\n \n"
    yield "only comments", b"# nothing\n"
    yield "binary", bytes(range(256)) * 40
    yield "zeros", b"\0" * 4096
    yield "UTF-16", text.encode("utf-16")
    yield "Latin-1", text.replace("scan", "sc\xe4n").encode("latin-1")
    yield "huge", text.encode() + b"# more\n" * 200_000
    yield "long line", b"description: " + b"x" * 1_100_000
    yield "two documents", text.encode() + b"---\n" + text.encode()
    yield "twice", text.encode() * 2
    yield "tabs", text.replace("  ", "\t").encode()
    yield "a list", b"- a\n- b\n"
    yield "JSON", b"[1, 2, 3]"
    yield "HTML", b"<!doctype html>\n<html><body>404</body></html>\n"
    yield "python", b"import os\nprint(os.getcwd())\n"
    yield "object", b"a: !!python/object/apply:os.system [ls]\n"
    yield "deep", b"a: " + b"[" * 3000
    for cut in (40, 400, 900, 1500, 2000):
        yield f"cut at {cut}", text[:cut].encode() + b" {"
    rng = random.Random(5)
    for i in range(20):
        damaged = bytearray(text.encode())
        for _ in range(40):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        yield f"random bytes {i}", bytes(damaged)


@functools.cache
def damaged():
    """(what was done, the file's bytes), an even pick of each kind and all broken files, 200 in all."""
    rng = random.Random(1)
    kinds = [list(kind()) for kind in (deleted_keys, misspelt_keys, misspelt_names, wrong_types)]
    files = [(name, content) for name, content in broken_files()]
    wanted = 200 - len(files)
    chosen = [each for kind in kinds for each in rng.sample(kind, min(len(kind), wanted // len(kinds)))]
    rest = [each for kind in kinds for each in kind if each not in chosen]
    chosen += rng.sample(rest, wanted - len(chosen))
    return [*chosen, *files]


def as_bytes(card, path):
    if isinstance(card, bytes):
        path.write_bytes(card)
    else:
        with path.open("w") as file:
            YAML(typ="safe", pure=True).dump(card, file)


@pytest.mark.parametrize("part", range(10))
def test_damaged_runcards(hyperparton, tmp_path, part):
    cases = damaged()
    assert len(cases) == 200
    path = tmp_path / "card.yml"
    for what, card in cases[part::10]:
        as_bytes(card, path)
        code, out, err = hyperparton("check", path)
        assert code == 1, (what, out, err)
        assert out == "", what
        assert "Traceback" not in err, what
        lines = err.removeprefix("error: ").splitlines()
        assert lines, what
        assert all(str(path) in line for line in lines), (what, err)
        if not isinstance(card, bytes):
            assert all(re.search(r"card\.yml:\d+:\d+: ", line) for line in lines), (what, err)


def test_the_undamaged_card_is_faultless(hyperparton, tmp_path):
    path = tmp_path / "card.yml"
    as_bytes(fresh(), path)
    assert hyperparton("check", path)[0] == 0
