"""Makes ``data/n3fit_folder``: the folder that a scan of n3fit leaves, its runcard and its `tries.json`.

Runs where the `nnpdf` package (4.1.5) and hyperparton are installed:

    python tests/oracle/make_n3fit_folder.py

The card is that of `tests/n3fit` with longer fits, two replicas in each trial, and what n3fit does otherwise than
hyperparton: hyperopt draws multiples of the step, so that a patience of 0.21 lies below the range from 0.212 on, and a
multiplier of positivity that n3fit leaves out of the trials since `initial` alone is scanned. A trial whose loss of a
fold is above the threshold fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

import hyperparton

ROOT = Path(__file__).parents[2]
TARGET = Path(__file__).parent / "data" / "n3fit_folder"
TRIALS, REPLICAS = 9, 2


def card():
    content = YAML(typ="safe", pure=True).load(ROOT / "tests" / "n3fit" / "card.yml")
    content["description"] = "A scan of n3fit: two replicas in each trial"
    stopping = {"min_epochs": 40, "max_epochs": 120, "min_patience": 0.212, "max_patience": 0.562}
    content["hyperscan_config"]["stopping"] = stopping
    content["parameters"]["positivity"] = {"initial": 100.0, "multiplier": 1.2}
    content["kfold"]["threshold"] = 11.25
    return content


def environment(folder):
    package = Path(hyperparton.__file__).parent
    (folder / "share").mkdir()
    profile = {"nnpdf_share": str(folder / "share"), "theories_path": str(package / "theories")}
    (folder / "profile.yml").write_text(json.dumps(profile))
    return {
        **os.environ,
        "NNPDF_PROFILE_PATH": str(folder / "profile.yml"),
        "LHAPDF_DATA_PATH": str(package / "lhapdf"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yaml = YAML(typ="safe", pure=True)
        yaml.width = 120
        with (folder / "scan.yml").open("w") as file:
            yaml.dump(card(), file)
        surroundings = environment(folder)
        for command in (
            ["vp-setupfit", "scan.yml", "--no-eko-download", "--no-net"],
            ["n3fit", "scan.yml", "1", "-r", str(REPLICAS), "--no-net", "--hyperopt", str(TRIALS)],
        ):
            subprocess.run(command, cwd=folder, env=surroundings, check=True)
        made = folder / "scan"
        for place in (Path("filter.yml"), Path("nnfit", "replica_1", "tries.json")):
            (TARGET / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / place, TARGET / place)
        print(sorted(str(path.relative_to(made)) for path in made.rglob("*")))


if __name__ == "__main__":
    main()
