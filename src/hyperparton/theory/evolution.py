"""DGLAP evolution operators from Q0 to any scale, computed by eko at a few scales and interpolated between them.

eko (arXiv:2202.02338) solves in Mellin space: truncated solution, one iteration, expanded inversion of the matching.
An operator acts on f (not x f) and has the dimensions `pid, x` (at the scale) and `pid, x` (at Q0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import nan
from types import SimpleNamespace
from typing import Any

import numpy as np

from hyperparton.errors import TheoryError
from hyperparton.theory.card import TheoryCard
from hyperparton.theory.grids import DEGREE, ScaleNodes, scale_nodes, x_grid
from hyperparton.theory.optional import require

__all__ = ["CHANNELS", "Evolution", "Segment", "coupling", "nodes_for", "segments_to", "solve"]

CHANNELS = (100, 21, 200, 203, 208, 215, 224, 235, 103, 108, 115, 124, 135)
"""evolution-basis numbers of the channels that tables have at Q0: Sigma, g, V, V3 to V35, T3 to T35; no photon"""


@dataclass(frozen=True)
class Segment:
    """One factor of an operator: evolution with `nf` flavours, or the matching where the flavour `nf` sets in."""

    nf: int
    origin: float
    """scale in GeV² it starts from"""
    target: float
    """scale in GeV² it ends at; of a matching the same"""
    matching: bool = False
    inverse: bool = False
    """of a matching: from `nf` flavours down to one less"""
    cliff: bool = False
    """of evolution: that it ends at a matching scale"""


def nodes_for(card: TheoryCard, nf: int, q2min: float) -> ScaleNodes:
    """The scales at which evolution to `nf` flavours is computed for points of Q² from `q2min` (GeV²) up."""
    return scale_nodes(nf, max(q2min, card.threshold(5)) if nf == 5 else q2min)


def segments_to(card: TheoryCard, nf: int, q2: float) -> tuple[Segment, ...]:
    """The factors of the operator to `nf` flavours at `q2` (GeV²), the one nearest Q0 first."""
    matchings = require("eko.matchings")
    atlas = matchings.Atlas([card.threshold(each) for each in (4, 5, 6)], (card.q0**2, card.full["nf0"]))
    segments = []
    for block in atlas.matched_path((q2, nf)):
        if isinstance(block, matchings.Segment):
            cliff = block.target in atlas.walls
            segments.append(Segment(block.nf, float(block.origin), float(block.target), cliff=cliff))
        else:
            segments.append(Segment(block.hq, float(block.scale), float(block.scale), True, bool(block.inverse)))
    return tuple(segments)


def solve(card: TheoryCard, segment: Segment) -> np.ndarray:
    """(pid, x, pid, x) operator of one factor, in eko's flavour basis (14 flavours, photon first)."""
    items, parts = require("eko.io.items"), require("eko.runner.parts")
    cards = SimpleNamespace(theory_card=_eko_theory(card), operator_card=_eko_operator(card))
    if segment.matching:
        return parts.match(cards, items.Matching(segment.origin, segment.nf, segment.inverse)).operator
    recipe = items.Evolution(segment.origin, segment.target, segment.nf, segment.cliff)
    return parts.evolve(cards, recipe).operator


def _eko_theory(card: TheoryCard) -> Any:
    full = card.full
    return require("eko.io.runcards").TheoryCard.from_dict(
        {
            "order": [card.light_order + 1, 0],
            "couplings": {
                "alphas": full["alphas"],
                "alphaem": full["alphaqed"],
                "em_running": False,
                "ref": (full["Qref"], full["nfref"]),
            },
            "heavy": {
                "masses": [[full[each], nan] for each in ("mc", "mb", "mt")],
                "masses_scheme": full["HQ"],
                "matching_ratios": [1.0, 1.0, 1.0],
            },
            "xif": 1.0,
            "n3lo_ad_variation": (0,) * 7,
            "matching_order": [card.light_order, 0],
            "use_fhmruvv": True,
        }
    )


def _eko_operator(card: TheoryCard) -> Any:
    return require("eko.io.runcards").OperatorCard.from_dict(
        {
            "init": [card.q0, card.full["nf0"]],
            "mugrid": [(card.q0, card.full["nf0"])],
            "xgrid": list(x_grid()),
            "configs": {
                "evolution_method": "truncated",
                "ev_op_max_order": [10, 0],
                "ev_op_iterations": 1,
                "scvar_method": None,
                "inversion_method": "expanded",
                "interpolation_polynomial_degree": DEGREE,
                "interpolation_is_log": True,
                "polarized": False,
                "time_like": False,
                "n_integration_cores": 1,
            },
            "debug": {"skip_singlet": False, "skip_non_singlet": False},
        }
    )


class Evolution:
    """Operators to any scale, from the factors that were computed."""

    def __init__(self, card: TheoryCard, q2min: float, factors: Mapping[Segment, np.ndarray]):
        self._card = card
        self._q2min = q2min
        self._factors = factors
        self._at_nodes: dict[int, tuple[ScaleNodes, np.ndarray]] = {}

    def contract(self, nf: int, q2: Sequence[float], coefficients: np.ndarray) -> np.ndarray:
        """(row, channel, x) at Q0 of (row, pid, x) `coefficients` of the PDFs at `q2` (GeV², one for each row)."""
        nodes, operators = self._nodes(nf)
        weights = np.array([nodes.weights(each) for each in q2])
        total = np.zeros((len(coefficients), *operators.shape[3:]))
        for column, operator in zip(weights.T, operators, strict=True):
            total += column[:, None, None] * np.tensordot(coefficients, operator, axes=2)
        return total

    def operator(self, nf: int, q2: float) -> np.ndarray:
        """(pid, x, channel, x) from the channels at Q0 to eko's 14 flavours at `q2` (GeV²)."""
        nodes, operators = self._nodes(nf)
        return np.einsum("n,npxcy->pxcy", nodes.weights(q2), operators)

    def _nodes(self, nf: int) -> tuple[ScaleNodes, np.ndarray]:
        """The scales and the (node, pid, x, channel, x) operators to them."""
        if nf not in self._at_nodes:
            nodes = nodes_for(self._card, nf, self._q2min)
            self._at_nodes[nf] = nodes, np.array([self._product(nf, q2) for q2 in nodes.q2])
        return self._at_nodes[nf]

    def _product(self, nf: int, q2: float) -> np.ndarray:
        operator = _channels_to_flavours()
        for segment in segments_to(self._card, nf, q2):
            operator = np.einsum("pxby,bycz->pxcz", self._factors[segment], operator, optimize=True)
        return operator


def _channels_to_flavours() -> np.ndarray:
    """(pid, x, channel, x): the 14 flavours in terms of the channels, at the same x."""
    rotation = require("eko.basis_rotation")
    columns = [rotation.evol_basis_pids.index(channel) for channel in CHANNELS]
    inverse = np.linalg.inv(rotation.rotate_flavor_to_evolution)[:, columns]
    return np.einsum("pc,xy->pxcy", inverse, np.eye(len(x_grid())))


def coupling(card: TheoryCard, nf: int, q2: float) -> float:
    """a_s = alpha_s/(4 pi) with `nf` flavours at `q2` (GeV²)."""
    value = float(_couplings(card).a_s(q2, nf_to=nf))
    if not 0 < value < 1:
        raise TheoryError(f"the strong coupling at {q2:g} GeV² with nf = {nf} comes out as {value:g}")
    return value


@lru_cache(maxsize=8)
def _couplings(card: TheoryCard) -> Any:
    return require("eko.runner.commons").couplings(_eko_theory(card), _eko_operator(card))
