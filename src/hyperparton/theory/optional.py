"""The packages of the extra `theory`: imported when they are needed, not before."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from hyperparton.errors import TheoryError

__all__ = ["PACKAGES", "require", "require_extra", "versions"]

PACKAGES = ("yadism", "eko")
"""what the extra brings"""


def require(module: str) -> ModuleType:
    """The module, such as `yadism.runner`.  Raises `TheoryError` that names the extra if its package is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        raise TheoryError(
            f"computing FK tables needs the package {package}, which is not installed; "
            "install it with: pip install 'hyperparton[theory]'"
        ) from error


def require_extra() -> None:
    """Imports yadism and eko, so that a missing one is an error before anything is computed; raises `TheoryError`."""
    for module in ("yadism.runner", "eko.runner.parts"):
        require(module)


def versions() -> dict[str, str]:
    """Package -> version of everything that the numbers in a table depend on; missing ones are left out."""
    wanted = ("hyperparton", *PACKAGES, "pineappl", "nnpdf-data", "numpy", "scipy", "numba", "LeProHQ", "adani")
    installed = {package: _version(package) for package in wanted}
    return {package: number for package, number in installed.items() if number is not None}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
