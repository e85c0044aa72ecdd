"""hyperparton: hyperparameter scans of neural-network fits, first of all of parton distribution functions.

`__init__.pyi` lists the public names. Each is loaded when it is asked for, so importing the package loads no jax.
"""

from typing import Any

import lazy_loader

_load, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # here, since it takes half as long as all of --help

        return version("hyperparton")
    return _load(name)


def __dir__() -> list[str]:
    return __all__
