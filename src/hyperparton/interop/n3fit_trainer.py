"""n3fit's own ModelTrainer as the trainer of a scan: n3fit's fits, hyperparton's engines, stores and workers.

It needs an environment with the package `nnpdf` (Python 3.12). n3fit finds theories and PDF sets where it always does:
through its profile (NNPDF_PROFILE_PATH) and LHAPDF_DATA_PATH.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from hyperparton.errors import ScanError
from hyperparton.interop.n3fit_refusal import last_error, refused

__all__ = ["build_n3fit_trainer"]

#: where a card keeps what the action needs, as the command `n3fit` names it
_PLACE = ("datacuts", "theory", "fitting")


def build_n3fit_trainer(text: str, path: str | Path, replicas: int, output: str | Path) -> Any:
    """n3fit's ModelTrainer for the runcard `text`, with replicas 1 to `replicas` fitted at once in each fold.

    `path` is where the card was read, `output` the scan's folder. Raises ScanError if nnpdf is not installed,
    RuncardError with n3fit's own words if it refuses the card.
    """
    command = _imported("n3fit.scripts.n3fit_exec")
    from reportengine.baseexceptions import AsInputError  # pyright: ignore[reportMissingImports]
    from reportengine.checks import CheckError  # pyright: ignore[reportMissingImports]
    from reportengine.configparser import ConfigError  # pyright: ignore[reportMissingImports]
    from reportengine.resourcebuilder import ResourceError  # pyright: ignore[reportMissingImports]
    from validphys.loader import LoadFailedError  # pyright: ignore[reportMissingImports]

    try:
        with tempfile.TemporaryDirectory() as made:
            folder = _fit_folder(Path(output), Path(made), text, path)
            return _resolved(command, _environment(command, Path(path), replicas, folder), text)
    except (AsInputError, CheckError, ConfigError, ResourceError, LoadFailedError) as fault:
        raise refused("n3fit", text, path, str(fault)) from fault


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as fault:
        raise ScanError(
            f"trainer n3fit needs the package nnpdf beside hyperparton, and {fault.name} is not installed: "
            "pip install nnpdf hyperparton (Python 3.12)"
        ) from fault


def _fit_folder(output: Path, made: Path, text: str, path: str | Path) -> Path:
    """A folder that vp-setupfit prepared: the scan's own if somebody did so, else one that is made here.

    A scan touches its folder with its first trial only, so the latter lies elsewhere.
    """
    if (output / "md5").is_file():
        return output
    card = made / "card.yml"
    card.write_text(text, encoding="utf-8")
    run = "from n3fit.scripts.vp_setupfit import main; main()"
    options = ["--output", "fit", "--no-net", "--no-eko-download"]
    done = subprocess.run(
        [sys.executable, "-c", run, card.name, *options],
        cwd=made, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise refused("vp-setupfit", text, path, last_error(done.stdout))
    return made / "fit"


def _environment(command: Any, path: Path, replicas: int, output: Path) -> Any:
    """What the command `n3fit PATH 1 -r REPLICAS --hyperopt ...` would run in."""
    from reportengine.namespaces import NSList  # pyright: ignore[reportMissingImports]

    environment = command.N3FitEnvironment(config_yml=path, output=output.resolve(), net=False)
    environment.replicas = NSList(list(range(1, replicas + 1)), nskey="replica")
    environment.replica_path = environment.output_path / "nnfit"
    environment.hyperopt = 1  # any number: folds are read for a scan alone
    environment.parallel_hyperopt = False
    return environment


def _resolved(command: Any, environment: Any, text: str) -> Any:
    """The result of the action `scanned_trainer`, its inputs found by validphys as those of n3fit's `performfit`."""
    from reportengine.namespaces import resolve  # pyright: ignore[reportMissingImports]
    from reportengine.resourcebuilder import FuzzyTarget, ResourceBuilder  # pyright: ignore[reportMissingImports]

    config = command.N3FitConfig.from_yaml(io.StringIO(text), environment=environment)
    names = [name for name in command.N3FIT_PROVIDERS if name != "n3fit.performfit"]
    providers = [_imported(name) for name in ("hyperparton.interop.n3fit_action", *names)]
    target = FuzzyTarget("scanned_trainer", _PLACE, (), ())
    builder = ResourceBuilder(config, providers, [target], perform_final=False)
    builder.rootns.update(environment.ns_dump())
    builder.resolve_fuzzytargets()
    builder.execute_sequential()
    return resolve(builder.rootns, _PLACE)["scanned_trainer"]
