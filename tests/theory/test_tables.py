"""PineAPPL files made here, read by the data layer."""

from __future__ import annotations

import numpy as np
import pytest

from hyperparton.data.fktables import read_fktable
from hyperparton.theory import drellyan
from hyperparton.theory.evolution import CHANNELS
from hyperparton.theory.grids import x_grid
from hyperparton.theory.tables import coordinates, evolved_grid, linear_table, without_noise, write

X = np.array(x_grid())
Q0 = 1.65
PIDS = (22, -6, -5, -4, -3, -2, -1, 21, 1, 2, 3, 4, 5, 6)

#: x f of each parton: four flavours, all different
TOY = {
    21: lambda x: 1.7 * x**-0.1 * (1 - x) ** 5,
    1: lambda x: 0.9 * x**0.6 * (1 - x) ** 4 + 0.1 * x**-0.1 * (1 - x) ** 7,
    2: lambda x: 1.9 * x**0.7 * (1 - x) ** 3 + 0.1 * x**-0.1 * (1 - x) ** 7,
    3: lambda x: 0.08 * x**-0.1 * (1 - x) ** 7,
    4: lambda x: 0.05 * x**-0.1 * (1 - x) ** 8,
    -1: lambda x: 0.13 * x**-0.1 * (1 - x) ** 7,
    -2: lambda x: 0.1 * x**-0.1 * (1 - x) ** 8,
    -3: lambda x: 0.06 * x**-0.1 * (1 - x) ** 7,
    -4: lambda x: 0.04 * x**-0.1 * (1 - x) ** 8,
}


def _evolution_rows():
    """(channel, pid) the evolution basis in terms of flavours, written out."""
    rows = {100: {pid: 1 for pid in PIDS if pid not in (21, 22)}, 21: {21: 1}}
    rows[200] = {pid: np.sign(pid) for pid in PIDS if pid not in (21, 22)}
    order = (2, 1, 3, 4, 5, 6)
    for number in range(1, 6):
        last = order[number]
        for base, sign in ((100, 1), (200, -1)):
            row = {}
            for flavour in order[:number]:
                row[flavour], row[-flavour] = 1, sign
            row[last], row[-last] = -number, -number * sign
            rows[base + (number + 1) ** 2 - 1] = row
    return np.array([[rows[channel].get(pid, 0) for pid in PIDS] for channel in CHANNELS], dtype=float)


def _toy_channels(x):
    flavours = np.array([TOY[pid](x) if pid in TOY else np.zeros_like(x) for pid in PIDS])
    return dict(zip(CHANNELS, _evolution_rows() @ flavours, strict=True))


def _standing_operator():
    """(pid, x, channel, x): no evolution, the flavours in terms of the channels (pseudo-inverse: no photon)."""
    return np.einsum("pc,xy->pxcy", np.linalg.pinv(_evolution_rows()), np.eye(len(X)))


@pytest.fixture
def numbers():
    values = np.random.default_rng(7).normal(size=(3, len(CHANNELS), len(X)))
    values[:, :, :20] = 0.0
    values[1] = 0.0
    return values


ROWS = [[5.0, 0.1], [6.0, 0.2], [7.5, 0.3]]
#: PDG-like numbers in the order of the data layer's indices
_DATA_PIDS = (22, 100, 21, 200, 203, 208, 215, 224, 235, 103, 108, 115, 124, 135)


def _predict(path):
    part = read_fktable(path)
    xf = _toy_channels(part.xgrid)
    chosen = [
        np.array([xf[_DATA_PIDS[index]] for index in channel])
        for channel in part.channels.reshape(len(part.channels), -1)
    ]
    if part.hadronic:
        return np.array([sum(v @ c[1] @ c[0] for v, c in zip(row, chosen, strict=True)) for row in part.values])
    return np.array([sum(v @ c[0] for v, c in zip(row, chosen, strict=True)) for row in part.values])


@pytest.mark.parametrize("nf0", [None, 4])
def test_entries_multiply_f_and_nothing_is_lost(tmp_path, numbers, nf0):
    path = tmp_path / "T.pineappl.lz4"
    write(linear_table(Q0, CHANNELS, x_grid(), numbers, ROWS), path, {"theory": {"ID": 1}}, nf0)
    toy = _toy_channels(X)
    expected = np.einsum("rcx,cx->r", numbers, np.array([toy[channel] / X for channel in CHANNELS]))
    np.testing.assert_allclose(_predict(path), expected, rtol=1e-11)
    np.testing.assert_array_equal(coordinates(path), ROWS)
    assert read_fktable(path).q0 == pytest.approx(Q0)
    assert len(read_fktable(path).channels) == (13 if nf0 is None else 9)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("scale", [Q0**2, 5.0])
def test_drell_yan_is_the_closed_form(tmp_path, scale):
    q2, sqrts = np.full(5, scale), np.full(5, 20.0 * np.sqrt(scale) / Q0)
    y = np.array([-2.2, -0.9, 0.0, 1.3, 2.4])
    table = evolved_grid(drellyan.drell_yan_grid(2, q2, y, sqrts), Q0, CHANNELS, PIDS, scale, _standing_operator())
    path = tmp_path / "DY.pineappl.lz4"
    write(without_noise(table, Q0), path, {}, 4)
    x1, x2 = Q0 / 20.0 * np.exp(y), Q0 / 20.0 * np.exp(-y)
    alpha, charge, pb = 1 / 137.035999, 2 / 3, 3.893793721e8
    products = TOY[2](x1) * TOY[-2](x2) + TOY[-2](x1) * TOY[2](x2)
    expected = 8 * np.pi * alpha**2 / 9 * charge**2 * pb * products
    # x of 0.9 lies in the last cells of the grid, where polynomials of degree 4 follow (1-x)^8 to a few permille
    np.testing.assert_allclose(_predict(path), expected, rtol=3e-3)
    np.testing.assert_allclose(_predict(path)[1:4], expected[1:4], rtol=1e-4)
    assert _predict(path)[2] == pytest.approx(expected[2], rel=1e-5)


def test_drell_yan_out_of_reach():
    with pytest.raises(ValueError, match="out of reach"):
        drellyan.fractions(5.0, 3.0, 23.57)


def test_drell_yan_needs_one_scale():
    with pytest.raises(ValueError, match="one Q²"):
        drellyan.drell_yan_grid(1, np.array([5.0, 6.0]), np.zeros(2), np.full(2, 23.0))
