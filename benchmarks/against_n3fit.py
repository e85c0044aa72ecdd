"""K-fold trials per hour of hyperparton and of n3fit, side by side on the same machine.

    python benchmarks/against_n3fit.py [--replicas 1 10] [--epochs 1324] [--n3fit FOLDER | --no-n3fit] [--json FILE]
    python benchmarks/against_n3fit.py --replicas 1 --epochs 17000 --folds 1      # long fits: n3fit takes ten minutes

Both run the same card (four folds of DIS data, or the first `--folds` of them), theory, seeds and number of epochs,
with early stopping switched off by a patience of all epochs.  hyperparton runs one trial with an empty compile cache
(compiling included), then others; what it does once per scan (data, folds) is printed apart.  n3fit runs one trial of
`n3fit CARD 1 --hyperopt 1`, of which the time of its folds counts, not its start-up.  With `--scan N` hyperparton also
runs a whole scan of N random trials of the card's space from its command line, with an empty compile cache: start-up,
data, folds, compiling and all bookkeeping included.  What n3fit would need for the epochs of these trials follows from
its time per epoch.  Without `--n3fit` (the folder of an environment that has nnpdf 4.1.5) the script makes an
environment of its own, of about 3 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "tests" / "data" / "dis_scan.yml"
LOSSES = ("validation", "experimental")
#: the first trial that n3fit draws for that card
TRIAL = {
    "nodes_per_layer": [37, 33, 41, 8],
    "activation_per_layer": ["tanh", "tanh", "tanh", "linear"],
    "initializer": "glorot_uniform",
    "optimizer": {"optimizer_name": "Adam", "learning_rate": 0.009544816855218366, "clipnorm": 1.810395936731622e-07},
    "dropout": 0.06,
    "positivity": {"initial": 140.17655333671672, "multiplier": None},
    "integrability": {"initial": 10, "multiplier": None},
    "layer_type": "dense",
    "threshold_chi2": 3.5,
}


def card(folds: int = 4) -> dict[str, Any]:
    """The card with its first `folds` folds."""
    from ruamel.yaml import YAML

    held = YAML(typ="safe").load(CARD)
    held["kfold"]["partitions"] = held["kfold"]["partitions"][:folds]
    return held


def trial(epochs: int) -> dict[str, Any]:
    return {**TRIAL, "epochs": epochs, "stopping_patience": 1.0}


def flops(replicas: int, folds: int, epochs: int) -> float:
    """Floating-point operations of the products that a trial needs, widths as they are and nothing padded."""
    nodes = [2, *TRIAL["nodes_per_layer"]]
    products = [i * o for i, o in pairwise(nodes)]
    points, features, maps = 64, 279 + 121, 408 * (279 + 242 + 231)
    # forward, and twice as much backward; without dropout forward again from the layer of dropout on
    network = points * (3 * sum(products) + sum(products[2:]))
    # with one replica each matrix of a chi2 is a model's own; with several validation and training share one
    chi2 = (2 if replicas == 1 else 3) * features**2
    return 2.0 * replicas * folds * epochs * (network + 3 * maps + chi2)


def peak(seconds: float = 2.0) -> float:
    """Rate of float32 matrix products of this machine with all its cores, in FLOP/s."""
    a = np.random.default_rng(1).normal(size=(2048, 2048)).astype(np.float32)
    best, start = np.inf, time.perf_counter()
    while time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begin)
    return 2.0 * 2048**3 / best


def ours(replicas: int, epochs: int, trials: int, compare: bool, folds: int) -> dict[str, Any]:
    """In this process; programs on disk are switched off by the caller.

    With `compare` also the losses of a trial in which folds hide what n3fit's hide.
    """
    from compare_with_n3fit import folds_of_n3fit, losses

    from hyperparton import ModelTrainer, load_fit_data
    from hyperparton.runcard.check import parse_runcard

    marks = [time.perf_counter()]
    runcard = parse_runcard(json.dumps(card(folds)))
    data = load_fit_data(runcard)
    marks.append(time.perf_counter())
    trainer = ModelTrainer.from_runcard(runcard, data, range(1, replicas + 1))
    trainer.set_hyperopt(True, [])
    trainer.fold_metrics  # noqa: B018 - made once per scan
    marks.append(time.perf_counter())
    times, cpu, result = [], [], {}
    for _ in range(trials + 1):
        begin, before = time.perf_counter(), time.process_time()
        result = trainer.hyperparametrizable(trial(epochs))
        times.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - before)
    rates = [peak() for _ in range(2)]
    meta, memory = result["kfold_meta"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    alike = losses(trainer.setup, trial(epochs), folds_of_n3fit(trainer.setup)) if compare else {}
    needed = flops(replicas, len(meta["validation_losses"]), epochs)
    return {
        "load": marks[1] - marks[0],
        "folds": marks[2] - marks[1],
        "first trial, with compiling": times[0],
        "trials": times[1:],
        "processor time of trials": cpu[1:],
        "GFLOP/s": needed / min(times[1:]) / 1e9,
        "peak GFLOP/s": max(rates) / 1e9,
        "memory MB": memory,
        "validation": [float(np.mean(v)) for v in meta["validation_losses"]],
        "experimental": [float(np.mean(v)) for v in meta["experimental_losses"]],
        "with the masks of n3fit": {key: values.tolist() for key, values in alike.items()},
    }


def _children() -> float:
    """Processor time of finished processes in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def theirs(python: Path, replicas: int, epochs: int, folder: Path, folds: int) -> dict[str, Any]:
    """n3fit's own commands in `folder`."""
    from ruamel.yaml import YAML

    held = card(folds)
    held["parameters"] = {**held["parameters"], **trial(epochs)}
    held["hyperscan_config"] = {"parameters": [trial(epochs)]}
    held["kfold"]["threshold"] = 1e9
    held["parallel_models"] = replicas > 1
    with (folder / "card.yml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(held, file)
    (folder / "profile.yml").write_text(
        f"nnpdf_share: {folder}/share\ntheories_path: {ROOT / 'src/hyperparton/theories'}\n", encoding="utf-8"
    )
    paths = {
        "NNPDF_PROFILE_PATH": str(folder / "profile.yml"),
        "LHAPDF_DATA_PATH": str(ROOT / "src/hyperparton/lhapdf"),
        "PYTHONPATH": "",
    }
    environment = {**os.environ, **paths}
    binaries = python.parent
    log = folder / "n3fit.log"
    begin, before = time.perf_counter(), _children()
    with log.open("w", encoding="utf-8") as out:
        for command in ([binaries / "vp-setupfit", "card.yml"],
                        [binaries / "n3fit", "card.yml", "1", "--hyperopt", "1",
                         *(["-r", str(replicas)] if replicas > 1 else [])]):  # fmt: skip
            subprocess.run(
                [str(c) for c in command], cwd=folder, env=environment, check=True, stdout=out, stderr=subprocess.STDOUT
            )
    whole = time.perf_counter() - begin
    tries = json.loads((folder / "card" / "nnfit" / "replica_1" / "tries.json").read_text(encoding="utf-8"))[0]
    times = tries["book_time"], tries["refresh_time"]
    meta = tries["result"]["kfold_meta"]

    def numbers(value: Any) -> list[float]:
        # n3fit writes arrays as text
        found = re.findall(r"[-+0-9.eE]+", value) if isinstance(value, str) else np.ravel(value)
        return [float(v) for v in found]

    seconds = (datetime.fromisoformat(times[1]) - datetime.fromisoformat(times[0])).total_seconds()
    return {
        "whole": whole,
        "processor time of the whole": _children() - before,
        "trial": seconds,
        **{key: np.reshape(numbers(meta[f"{key}_losses"]), (-1, replicas)).tolist() for key in LOSSES},
    }


def compared(mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Losses of each fold over the replicas, with the same masks on both sides; the test is Kolmogorov-Smirnov's."""
    from scipy.stats import ks_2samp

    for key in LOSSES:
        for fold, (a, b) in enumerate(zip(mine["with the masks of n3fit"][key], other[key], strict=True)):
            told = [f"{np.median(v):.3f} ({np.min(v):.3f} to {np.max(v):.3f})" for v in (a, b)]
            p = ks_2samp(a, b).pvalue
            print(f"  {key} fold {fold + 1}: {told[0]}, n3fit {told[1]}, p = {p:.2f}")


def environment(folder: Path) -> Path:
    """The Python of a new environment with n3fit."""
    import venv

    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    packages = ["nnpdf==4.1.5", "hyperopt", "lhapdf-management", "pdfflow", "setuptools<81"]
    subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return python


def measured(replicas: int, epochs: int, trials: int, compare: bool, folds: int) -> dict[str, Any]:
    """`ours` in a process of its own without programs on disk, so that compiling is seen and memory is its own."""
    command = [sys.executable, __file__, "--ours", str(replicas), str(epochs), str(trials)]
    command += [str(int(compare)), str(folds)]
    done = subprocess.run(
        command, env={**os.environ, "HYPERPARTON_CACHE": "off"}, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def scanned(replicas: int, trials: int, batch: int, folds: int) -> dict[str, Any]:
    """A scan of random trials that run all their epochs, from the command line, without programs on disk."""
    from ruamel.yaml import YAML

    held = card(folds)
    epochs = held["hyperscan_config"]["stopping"]
    held["hyperscan_config"]["stopping"] = {key: epochs[key] for key in ("min_epochs", "max_epochs")}
    held["parameters"]["stopping_patience"] = 1.0
    # n3fit would end a trial at the first fold above the threshold
    held["kfold"]["threshold"] = 1e9
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "card.yml").open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(held, file)
        command = [str(Path(sys.executable).with_name("hyperparton")), "scan", "card.yml", "--trials", str(trials)]
        command += ["--replicas", str(replicas), "--engine", "random", "--batch-trials", str(batch), "--output", "out"]
        begin = time.perf_counter()
        variables = {**os.environ, "HYPERPARTON_CACHE": str(Path(folder) / "cache")}
        subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - begin
        tries = json.loads((Path(folder) / "out" / "nnfit" / "replica_1" / "tries.json").read_text(encoding="utf-8"))
        programs = len(list((Path(folder) / "cache").rglob("jit_advance*")))
    # a failed trial may have ended early: its epochs are not counted, its time is
    epochs = sum(t["misc"]["space_vals"]["epochs"] for t in tries if t["result"]["status"] == "ok")
    return {"trials": len(tries), "batch": batch, "epochs": epochs, "seconds": whole, "programs": programs}


def tell_of_scan(row: dict[str, Any]) -> None:
    """What a whole scan took, and would take n3fit."""
    scan = row["scan"]
    print(f"  scan of {scan['trials']} random trials, {scan['epochs']} epochs, {scan['programs']} programs:")
    print(f"    {scan['seconds']:.0f} s, {3600 * scan['trials'] / scan['seconds']:.0f} trials/h")
    if "n3fit" in row:
        each = row["n3fit"]["trial"] / row["epochs"]
        print(f"    n3fit at its {each:.3f} s an epoch: {each * scan['epochs']:.0f} s")
        print(f"    ratio with all that a scan does {each * scan['epochs'] / scan['seconds']:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--epochs", type=int, nargs="+", default=[1324])
    parser.add_argument("--folds", type=int, default=4, help="the first so many of the card's four")
    parser.add_argument("--trials", type=int, default=3, help="trials after the first one")
    parser.add_argument("--n3fit", type=Path, help="folder of an environment that has n3fit")
    parser.add_argument("--no-n3fit", action="store_true")
    parser.add_argument("--scan", type=int, metavar="N", help="a whole scan of N trials too")
    parser.add_argument("--batch-trials", type=int, default=1, help="of that scan")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ours", type=int, nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        replicas, epochs, trials, compare, folds = arguments.ours
        print(json.dumps(ours(replicas, epochs, trials, bool(compare), folds)))
        return
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        python = None
        if not arguments.no_n3fit:
            given = arguments.n3fit
            python = environment(Path(scratch) / "venv") if given is None else given.resolve() / "bin" / "python"
        for replicas in arguments.replicas:
            for epochs in arguments.epochs:
                row: dict[str, Any] = {"replicas": replicas, "epochs": epochs}
                row["hyperparton"] = mine = measured(
                    replicas, epochs, arguments.trials, python is not None and replicas > 1, arguments.folds
                )
                each, first = float(np.median(mine["trials"])), mine["first trial, with compiling"]
                print(f"{replicas} replicas x {arguments.folds} folds, {epochs} epochs")
                print(f"  hyperparton: {3600 / each:.0f} trials/h ({each:.2f} s), first trial {first:.2f} s")
                print(f"  processor time {min(mine['processor time of trials']):.2f} s")
                print(f"  {mine['GFLOP/s']:.0f} GFLOP/s of {mine['peak GFLOP/s']:.0f} of a matrix product")
                print(f"  data {mine['load']:.1f} s, folds {mine['folds']:.1f} s, memory {mine['memory MB']:.0f} MB")
                if python is not None:
                    folder = Path(scratch) / f"{replicas}-{epochs}"
                    folder.mkdir()
                    row["n3fit"] = other = theirs(python, replicas, epochs, folder, arguments.folds)
                    print(f"  n3fit: {3600 / other['trial']:.1f} trials/h ({other['trial']:.1f} s)")
                    print(f"  processor time with start-up {other['processor time of the whole']:.1f} s")
                    if replicas > 1:
                        compared(mine, other)
                    print(f"  ratio {other['trial'] / each:.0f}, of the first trial {other['trial'] / first:.0f}")
                if arguments.scan:
                    row["scan"] = scanned(replicas, arguments.scan, arguments.batch_trials, arguments.folds)
                    tell_of_scan(row)
                sys.stdout.flush()
                results.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
