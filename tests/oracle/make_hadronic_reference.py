"""Makes ``data/hadronic_reference.npz``: what validphys predicts for two protons with small made-up FK tables.

The tables are written with pineappl by `write_tables`, which the test calls too.  Runs where the `nnpdf` package
(4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_hadronic_reference.py [FILE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

Q0 = 1.65
GRIDS = {"fine": np.array([1e-4, 1e-3, 0.1, 0.4, 0.7, 1.0]), "coarse": np.array([1e-3, 0.1, 0.7])}
#: PDG-like numbers of the evolution basis, in the order of the 14 flavours
PIDS = (22, 100, 21, 200, 203, 208, 215, 224, 235, 103, 108, 115, 124, 135)
CHANNELS = (((100, 100), (21, 100)), ((203, 21), (21, 21), (115, 208)), ((100, 21), (22, 100), (135, 215)))
#: operation -> operands (files of each), what changes them, and the points that pass the cuts
OBSERVABLES = {
    "NULL": {
        "operands": [["t0", "t1"]],
        "conversion_factor": 1.7,
        "shifts": {"t1": 2},
        "normalization": {"t1": 0.3},
        "kept": [0, 2, 6, 9],
    },
    "ADD": {"operands": [["t0"], ["t1"]], "kept": [0, 1, 3]},
    "RATIO": {"operands": [["t1", "t2"], ["one"]], "kept": [1, 4, 7]},
    "ASY": {"operands": [["t3"], ["t4"]], "kept": [0, 1, 3]},
    "SMN": {"operands": [[f"t{i}"] for i in range(4)], "kept": [2]},
    "COM": {"operands": [[f"t{i}"] for i in range(20)], "kept": [0, 3]},
    "SMT": {"operands": [[f"t{i}"] for i in range(10)], "kept": [0, 1, 2, 3]},
}


def toy_pdf(x: np.ndarray) -> np.ndarray:
    """(14, x) a made-up PDF in the evolution basis that obeys what holds below the bottom mass: T24 = T35 = Sigma,
    V15 = V24 = V35 = V, no photon."""
    k = np.arange(1, 15)[:, None]
    xf = (0.3 + 0.1 * k) * x ** (0.05 * k) * (1.1 - x) ** (2 + 0.2 * k) * (1 + 0.5 * np.sin(k * x))
    for place, same in ((0, None), (6, 3), (7, 3), (8, 3), (12, 1), (13, 1)):
        xf[place] = 0.0 if same is None else xf[same]
    return xf


def tables() -> dict[str, tuple[np.ndarray, tuple, np.ndarray, np.ndarray]]:
    """name -> x nodes, channels, values (dat, chan, x, x), widths of the bins."""
    rng, made = np.random.default_rng(7), {}
    for i in range(20):
        x = GRIDS["fine" if i % 3 else "coarse"]
        channels = CHANNELS[i % len(CHANNELS)]
        values = rng.uniform(0.5, 1.5, (4, len(channels), len(x), len(x)))
        made[f"t{i}"] = x, channels, values, rng.uniform(0.5, 2.0, 4)
    made["one"] = GRIDS["fine"], CHANNELS[0], rng.uniform(0.5, 1.5, (1, 2, 6, 6)), np.array([1.5])
    return made


def write_tables(folder: Path) -> None:
    """All tables as ``folder/<name>.pineappl.lz4``."""
    for name, (x, channels, values, widths) in tables().items():
        write_table(folder / f"{name}.pineappl.lz4", x, channels, values, widths)


def write_table(path: Path, x: np.ndarray, channels: tuple, values: np.ndarray, widths: np.ndarray) -> None:
    """An FK table for one or two protons; channels are tuples of one or two numbers of `PIDS`."""
    from pineappl.boc import BinsWithFillLimits, Channel, Kinematics, Order, ScaleFuncForm, Scales
    from pineappl.convolutions import Conv, ConvType
    from pineappl.fk_table import FkTable
    from pineappl.grid import Grid
    from pineappl.interpolation import Interp, InterpolationMethod, MappingMethod, ReweightingMethod
    from pineappl.pids import PidBasis
    from pineappl.subgrid import ImportSubgridV1

    protons = len(channels[0])
    lagrange, none = InterpolationMethod.Lagrange, ReweightingMethod.NoReweight
    scale = Interp(1e2, 1e8, 40, 3, none, MappingMethod.ApplGridH0, lagrange)
    momentum = Interp(2e-7, 1.0, 50, 3, ReweightingMethod.ApplGridX, MappingMethod.ApplGridF2, lagrange)
    grid = Grid(
        pid_basis=PidBasis.Evol,
        channels=[Channel([(list(channel), 1.0)]) for channel in channels],
        orders=[Order(0, 0, 0, 0, 0)],
        bins=BinsWithFillLimits.from_fill_limits(np.concatenate([[0.0], np.cumsum(widths)])),
        convolutions=[Conv(ConvType(polarized=False, time_like=False), 2212)] * protons,
        interpolations=[scale, *[momentum] * protons],
        kinematics=[Kinematics.Scale(0), *(Kinematics.X(i) for i in range(protons))],
        scale_funcs=Scales(ScaleFuncForm.NoScale(0), ScaleFuncForm.Scale(0), ScaleFuncForm.NoScale(0)),
    )
    nodes = [np.array([Q0**2]), *[x] * protons]
    for point, rows in enumerate(values):
        for channel, block in enumerate(rows):
            grid.set_subgrid(0, point, channel, ImportSubgridV1(block[None], nodes).into())
    FkTable(grid).write_lz4(str(path))


def prediction(folder: Path, operation: str, entry: dict) -> np.ndarray:
    """By validphys's reader, convolution and operations."""
    from nnpdf_data.commondataparser import TheoryMeta
    from validphys.convolution import OP, _gv_hadron_predictions
    from validphys.core import FKTableSpec
    from validphys.pdfbases import evolution
    from validphys.pineparser import pineappl_reader

    names = ["photon", "singlet", "g", "V", "V3", "V8", "V15", "V24", "V35", "T3", "T8", "T15", "T24", "T35"]
    order = list(evolution.to_known_elements(names))

    def values(vmat, xmat, qmat):
        chosen = [order.index(flavour) for flavour in vmat]
        return toy_pdf(np.asarray(xmat))[chosen][None, :, :, None]

    settings = {key: entry[key] for key in ("conversion_factor", "shifts", "normalization") if key in entry}
    meta = TheoryMeta([tuple(names) for names in entry["operands"]], operation, **settings)
    parts = []
    for paths in meta.fktables_to_paths(folder):
        table = pineappl_reader(FKTableSpec(tuple(paths), [], meta)).with_cuts(np.array(entry["kept"]))
        parts.append(_gv_hadron_predictions(table, values).to_numpy().ravel())
    return OP[operation](*parts)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data" / "hadronic_reference.npz"
    with tempfile.TemporaryDirectory() as scratch:
        write_tables(Path(scratch))
        made = {operation: prediction(Path(scratch), operation, entry) for operation, entry in OBSERVABLES.items()}
    np.savez_compressed(target, **made)
    print({operation: values.round(4).tolist() for operation, values in made.items()})
