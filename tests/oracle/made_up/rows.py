"""What the rows of a table look like, from the kinematics of its data set."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from made_up.demands import Request
from made_up.files import Table
from made_up.kernels import (
    BASIS,
    CHARGE2,
    ISOVECTOR,
    ODD,
    QUARKS,
    Hard,
    bilinear_row,
    evolution,
    fractions,
    parton,
    x_grid,
)

_MASSES2 = ("M2", "m_Z2", "m_W2", "m_ll2", "m_t2", "Q2")
_MASSES = ("m_ll", "m_ttBar", "m_jj", "M")
_MOMENTA = ("pT", "ET", "pT_t")
_RAPIDITIES = ("y", "abs_y", "eta", "abs_eta", "y_t", "y_ttBar", "ystar", "ymax", "abs_y_t", "yt")


def process_of(request: Request, member: str) -> str:
    """Which of `PROCESSES` a table is of, from the names of the set and of the table."""
    name = request.name
    if "SINGLETOP" in name:
        return "antitop" if re.search(r"TBAR|_TB$", member) else "top"
    if "TTBAR" in name:
        return "top pairs"
    if "JET_" in name:
        return "jets"
    if "_PH_" in name:
        return "photon"
    if re.search(r"WPWM|_WJ_", name):
        return "W+" if re.search(r"Wplus|WP|Wp-|xsec002", member) else "W-"
    if re.search(r"DYE|POS.*DY", name):
        return "photon exchange"
    return "Z"


def energy_of(request: Request) -> float:
    energy = request.metadata._parent.cm_energy
    values = request.kinematics.get("sqrts")
    if values is not None and values[0] > 0:  # some sets have it in TeV
        energy = float(values[0]) if energy is None else energy
    return float(energy or 1000.0)


def hard_points(request: Request, process: str, rows: Sequence[int | None]) -> list[Hard]:
    """The momentum fractions of each row; a row is a point of the set, or None for one that no point is."""
    energy = energy_of(request)
    return [fractions(_mass(request, process, row), _rapidity(request, row), energy, 0.35) for row in rows]


#: process -> its mass in GeV where kinematics tell none
_NATURAL = {"top pairs": 400.0, "top": 250.0, "antitop": 250.0, "Z": 91.2, "W+": 80.4, "W-": 80.4}


def _mass(request: Request, process: str, row: int | None) -> float:
    natural = _NATURAL.get(process, 100.0)
    if row is None:
        return natural
    found = [np.sqrt(request.kinematics[key][row]) for key in _MASSES2 if key in request.kinematics]
    found += [request.kinematics[key][row] for key in _MASSES if key in request.kinematics]
    base = max([value for value in found if value > 1], default=natural)
    if process in ("top pairs", "top", "antitop"):
        base = max(base, natural)
    momentum = max([request.kinematics[key][row] for key in _MOMENTA if key in request.kinematics], default=0.0)
    if process in ("jets", "photon") and momentum:
        return 2.2 * momentum
    return float(np.hypot(base, momentum) + momentum)


def _rapidity(request: Request, row: int | None) -> float | None:
    if row is None:
        return None
    for key in _RAPIDITIES:
        if key in request.kinematics:
            return float(abs(request.kinematics[key][row]))
    return None


_PARTONS = {"UP": "u", "DOWN": "d", "STRANGE": "s", "CHARM": "c", "GLUON": "g"}


def linear_row(request: Request, member: str, grid: np.ndarray, row: int) -> np.ndarray:
    """(basis, x) of x f, for one proton."""
    x = float(request.kinematics.get("x", np.array([0.1] * (row + 1)))[row])
    x = min(max(x, grid[0] * 1.001), 0.98)
    found = re.search(r"POS_(ANTI_)?(UP|DOWN|STRANGE|CHARM|GLUON)", member)
    if found:
        letter = _PARTONS[found[2]]
        mixture = parton(letter.upper() if found[1] and letter != "g" else letter)
    elif (isolated := re.search(r"X?([TV][0-9]*)$", member)) and isolated[1] in BASIS:
        mixture = (np.array(BASIS) == isolated[1]).astype(float)
    else:
        mixture = sum(
            w * (parton(q) + parton(q.upper())) for q, w in zip(QUARKS, CHARGE2, strict=True)
        ) + 0.02 * parton("g")
    return np.einsum("A,Aax->ax", mixture, evolution(grid, x))


def is_linear(request: Request) -> bool:
    process = str(request.metadata.process_type)
    return process.startswith("DIS") or process in ("POS_XPDF", "POS_DIS", "INTEG")


def make_table(request: Request, member: str, rows: list[int | None], full: bool, least: float) -> Table:
    """The table `member` of a data set, unscaled."""
    seed = zlib.crc32(member.encode())
    widths = np.array([0.5, 1.0, 2.0, 0.25])[(seed + np.arange(len(rows))) % 4]
    grid = x_grid()
    if is_linear(request):
        values = np.array([linear_row(request, member, grid, row or 0) for row in rows])
        channels: list[tuple[int, ...]] = [(a,) for a in range(len(BASIS)) if values[:, a].any()]
        return Table(member, grid, channels, values[:, [a for (a,) in channels]], "linear", widths)
    process = process_of(request, member)
    hard = hard_points(request, process, rows)
    if not full:
        smallest = max(min(min(h.one.min(), h.two.min()) for h in hard), least)
        grid = grid[max(np.searchsorted(grid, smallest) - 1, 0) :]
    second = np.ones(len(BASIS))
    if re.search(r"_1P96TEV", request.name):
        second = np.where(ODD, -1.0, 1.0)
    if re.search(r"_D(_|$)", member):
        second = np.where(ISOVECTOR, 0.0, second)
    used: np.ndarray | None = None
    blocks = []
    for points in hard:
        block = bilinear_row(grid, points, process, second)
        blocks.append(block)
        some = np.abs(block).max(axis=(2, 3)) > 1e-12 * np.abs(block).max()
        used = some if used is None else used | some
    assert used is not None
    chosen = [(int(a), int(b)) for a, b in np.argwhere(used)]
    values = np.array([[block[a, b] for a, b in chosen] for block in blocks])
    return Table(member, grid, chosen, values, process, widths)
