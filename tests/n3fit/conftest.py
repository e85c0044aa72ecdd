"""Tests with the real n3fit and validphys: `make test-oracle` makes an environment with them and runs these.

Everything runs through the commands that a user has, in a folder with a profile of its own: nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: a program that asks a server on the net is refused at once, where it could wait for minutes
NO_NETWORK = {
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1"),
}


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.n3fit)
            # what n3fit, validphys and their libraries warn of is theirs
            item.add_marker(pytest.mark.filterwarnings("ignore"))


def _pandoc():
    """The folder of a pandoc that came as a wheel, if there is one."""
    found = find_spec("pypandoc")
    folder = Path(found.origin).parent / "files" if found and found.origin else None
    return [str(folder)] if folder and (folder / "pandoc").exists() else []


class Home:
    """A folder to work in as a user of n3fit does, and its commands."""

    def __init__(self, path: Path):
        import hyperparton

        package = Path(hyperparton.__file__).parent
        self.path = path
        (path / "share").mkdir()
        profile = {
            "nnpdf_share": str(path / "share"),
            "theories_path": str(package / "theories"),
            "hyperscan_path": str(path),
        }
        (path / "profile.yml").write_text(json.dumps(profile))
        self.environment = {
            **os.environ,
            **NO_NETWORK,
            "NNPDF_PROFILE_PATH": str(path / "profile.yml"),
            "LHAPDF_DATA_PATH": str(package / "lhapdf"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), *_pandoc(), os.environ["PATH"]]),
            "MPLCONFIGDIR": str(path / "share"),
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }

    def run(self, *command, check=True, cwd=None):
        """Run a command of the environment here; its output, both streams."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.path, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if check and done.returncode:
            pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def python(self, code, *arguments):
        """Run Python code in the environment and read the JSON in its last line of output."""
        return json.loads(self.run(sys.executable, "-c", code, *arguments).strip().splitlines()[-1])

    def n3fit(self, card, *options):
        """`vp-setupfit` and `n3fit` of replica 1; what n3fit told."""
        self.run("vp-setupfit", card, "--no-eko-download", "--no-net")
        return self.run("n3fit", card, "1", "--no-net", *options)

    def card(self, name, **sections):
        """A copy of `card.yml` under another name, with some of its sections replaced; None leaves one out."""
        from ruamel.yaml import YAML

        yaml = YAML(typ="safe", pure=True)
        content = {**yaml.load((HERE / "card.yml").read_text()), **sections}
        content = {key: value for key, value in content.items() if value is not None}
        with (self.path / name).open("w") as file:
            yaml.dump(content, file)
        return self.path / name

    def tries(self, scan):
        """`tries.json` of a scan's folder, as it stands there."""
        return json.loads((self.path / scan / "nnfit" / "replica_1" / "tries.json").read_text())


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("n3fit")
    shutil.copy(HERE / "card.yml", path)
    return Home(path)


@pytest.fixture(scope="session")
def ours(home):
    """A scan of hyperparton's: four trials that succeeded, and its folder's name."""
    home.run("hyperparton", "scan", "card.yml", "--trials", 4, "--engine", "hyperopt", "--output", "ours")
    return "ours"


@pytest.fixture(scope="session")
def theirs(home):
    """The first two trials of the same card by n3fit, and the folder's name."""
    shutil.copy(home.path / "card.yml", home.path / "theirs.yml")
    home.n3fit("theirs.yml", "--hyperopt", 2)
    return "theirs"


@pytest.fixture(scope="session")
def fit(home):
    """A fit by n3fit with its weights saved, and the folder's name."""
    home.card("theirfit.yml", save="weights.h5", hyperscan_config=None, kfold=None)
    home.n3fit("theirfit.yml")
    return "theirfit"
