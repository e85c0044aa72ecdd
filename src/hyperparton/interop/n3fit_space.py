"""Spaces written with hyperopt's expressions, as n3fit's HyperScanner writes them, in expressions of our own.

n3fit hands its scanner to `hyper_scan_wrapper`. Its expressions are a graph of nodes with a `name`; they are read by
these names, so hyperopt is not needed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hyperparton.errors import ScanError, SpaceError
from hyperparton.scan.scanner import ActivationStr, HyperScanner
from hyperparton.space.samplers import QUniform, Sampler, hp_choice, hp_loguniform, hp_quniform, hp_uniform

__all__ = ["as_scanner"]


def as_scanner(scanner: Any) -> HyperScanner:
    """`scanner` if it is a HyperScanner of ours; the same scan as ours if it is n3fit's.

    n3fit's is anything with `as_dict()` and `hyper_keys` whose dictionary holds expressions of hyperopt. Raises
    ScanError for anything else and for one with n3fit's own MongoDB, SpaceError for an expression that no runcard can
    ask for.
    """
    if isinstance(scanner, HyperScanner):
        return scanner
    if not callable(getattr(scanner, "as_dict", None)) or not hasattr(scanner, "hyper_keys"):
        raise ScanError(f"a scan needs a HyperScanner, hyperparton's or n3fit's, given {type(scanner).__name__}")
    if getattr(scanner, "parallel_hyperopt", False):
        raise ScanError(
            "n3fit's --parallel-hyperopt brings a MongoDB of its own; many jobs join a scan of hyperparton with "
            "`hyperparton scan CARD --trainer n3fit --store URL`"
        )
    space = {str(key): _own(value) for key, value in scanner.as_dict().items()}
    return HyperScanner.of_space(space, scanner.hyper_keys)


def _own(node: Any) -> Any:
    """The structure with samplers of ours in place of hyperopt's expressions."""
    if _is_expression(node):
        return _expression(node)
    if isinstance(node, Mapping):
        return {str(key): _own(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_own(value) for value in node]
    return _constant(node)


def _is_expression(node: Any) -> bool:
    return all(hasattr(node, part) for part in ("name", "pos_args", "named_args"))


def _constant(value: Any) -> Any:
    """A value; n3fit's activations become ours, a trial of an earlier scan its parameters."""
    if hasattr(value, "function_name") and callable(value):
        return ActivationStr(value.function_name)
    parameters = getattr(value, "params", None)
    return dict(parameters) if isinstance(parameters, Mapping) else value


def _expression(node: Any) -> Any:
    if node.name == "literal":
        return _constant(node.obj)
    if node.name == "dict":
        return {str(key): _own(value) for key, value in node.named_args}
    if node.name == "pos_args":
        return [_own(value) for value in node.pos_args]
    if node.name == "float":
        return _expression(node.pos_args[0])
    if node.name == "int":
        inner = _expression(node.pos_args[0])
        if isinstance(inner, QUniform):
            return replace(inner, make_int=True)
    if node.name == "switch":
        label, _ = _parameter(node.pos_args[0], "randint")
        return hp_choice(label, [_own(option) for option in node.pos_args[1:]])
    if node.name == "hyperopt_param":
        return _sampler(node)
    raise SpaceError(f"hyperopt's expression {node.name!r} is none that a runcard can ask for")


#: hyperopt's name of a distribution -> the sampler of its label and its arguments
_DISTRIBUTIONS: Mapping[str, Callable[..., Sampler | None]] = {
    "uniform": hp_uniform,
    "loguniform": lambda label, low, high: hp_loguniform(label, _exponential(low), _exponential(high)),
    "quniform": lambda label, low, high, step: hp_quniform(label, low, high, step_size=step),
}


def _sampler(node: Any) -> Sampler:
    label, arguments = _parameter(node, *_DISTRIBUTIONS)
    sampler = _DISTRIBUTIONS[node.pos_args[1].name](label, *arguments)
    assert sampler is not None  # no bound is None: hyperopt takes numbers only
    return sampler


def _parameter(node: Any, *accepted: str) -> tuple[str, list[Any]]:
    """The label and the arguments of a labelled draw from one of the `accepted` distributions."""
    name = node.pos_args[1].name if node.name == "hyperopt_param" else node.name
    if node.name != "hyperopt_param" or name not in accepted:
        raise SpaceError(f"hyperopt's distribution {name!r} is none of {', '.join(accepted)}")
    drawn = node.pos_args[1]
    arguments = [*drawn.pos_args, *(value for _, value in drawn.named_args)]
    if any(argument.name != "literal" for argument in arguments):
        raise SpaceError(f"{node.pos_args[0].obj}: the bounds of hyperopt's {name} must be numbers")
    return str(node.pos_args[0].obj), [argument.obj for argument in arguments]


def _exponential(logarithm: float) -> float:
    """The number with this logarithm; of those that have it, the one with the fewest digits."""
    exact = math.exp(logarithm)
    short = float(f"{exact:.12g}")
    return short if math.isclose(math.log(short), logarithm, rel_tol=1e-15) else exact
