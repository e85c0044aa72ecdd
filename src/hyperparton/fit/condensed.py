"""Few mixed rows in place of all hadronic predictions, found once for the data and the theory of a card.

The whitened hadronic predictions of all sorts of networks lie in few directions.  With N (dat,) the predictions that
are not linear, F what whitens them and B the right singular vectors of F N of a sample of networks, the numbers

    c = B^T F N        N = F^-1 B c to the accuracy of the sample

take the place of N among the features of the chi2.  The rows of hadronic tables are combined in the same way, once:
with f the values x f of a PDF, c = f T f, with T (row, col, col) symmetric.  What T f costs does not depend on how many
tables there are.  Ratios and asymmetries are made of mixed rows of their own, that hold their tables' predictions.

How many rows are needed follows from networks that did not take part in finding them (`find_mixing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from hyperparton.data.operations import OPERATIONS, operate
from hyperparton.fit.hadronic import Bilinear, bilinear_prediction, pairs_of
from hyperparton.fit.observables import Convolution, Nonlinear, PreparedTable

__all__ = [
    "Condensed",
    "Curve",
    "Curved",
    "MixedTables",
    "Mixing",
    "Sample",
    "build_condensed",
    "find_mixing",
    "hadronic_range",
    "leading_mixing",
    "mixed_tables",
    "sampled",
]

#: rows are a multiple of this, for products with aligned rows
_STEP = 8
#: of sampled networks so many at a time are multiplied with the tables
_TOGETHER = 32
#: of the networks that judge rows this share is to have errors below half the bound, and all below the bound
_MOST_NETWORKS = 0.9
#: tables whose predictions have smaller singular values, relative to the largest, are left out of ratios
_LEAST = 1e-9


@dataclass(frozen=True)
class Curved:
    """An observable that is not linear in its tables: its operation and where its tables stand among all of them."""

    operation: str
    tables: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class MixedTables:
    """Symmetric tables of mixed rows on a range of the grid."""

    values: np.ndarray
    """(row, col, col) in single precision; col is working*x of the range"""
    start: int
    """first x of the range"""
    stop: int
    """x behind its last"""


def hadronic_range(tables: Sequence[Bilinear]) -> tuple[int, int]:
    """The first x that any of the tables has, and the one behind the last."""
    places = np.concatenate([np.asarray(table.x) for table in tables])
    return int(places.min()), int(places.max()) + 1


def mixed_tables(parts: Sequence[tuple[np.ndarray, Bilinear]], start: int, stop: int) -> MixedTables:
    """The sums of mixing (row, dat) times the rows of a table, over all `parts`, made symmetric."""
    rows, size, flavours = len(parts[0][0]), stop - start, parts[0][1].left.shape[1]
    values = np.zeros((rows, flavours, size, flavours, size), np.float32)
    by_pair: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for mixing, table in parts:
        nodes = len(table.x)
        blocks = np.reshape(table.values, (-1, len(table.left), nodes, nodes))
        for channel, pair in enumerate(pairs_of(table)):
            by_pair.setdefault(pair, []).append((mixing, np.asarray(table.x) - start, blocks[:, channel]))
    for (one, two), members in by_pair.items():
        # one product for all tables that have this pair, with zeros where a table has no x
        together = np.zeros((sum(len(block) for _, _, block in members), size, size))
        row = 0
        for _, places, block in members:
            together[row : row + len(block), places[:, None], places[None]] = block
            row += len(block)
        mixing = np.concatenate([each for each, _, _ in members], axis=1)
        half = 0.5 * (mixing @ together.reshape(row, -1)).reshape(rows, size, size)
        turned = np.swapaxes(half, 1, 2)
        if one == two:
            values[:, one, :, one] += half + turned
        else:
            values[:, one, :, two] += half
            values[:, two, :, one] += turned
    return MixedTables(values.reshape(rows, flavours * size, flavours * size), start, stop)


@dataclass(frozen=True, eq=False)
class Sample:
    """PDFs by which rows are mixed, and what the fit's data say of them."""

    tables: list[list[np.ndarray]]
    """per observable that is not linear, of each of its tables, the predictions (net, dat)"""
    nonlinear: np.ndarray
    """(net, dat) predictions of the observables that are not linear"""
    chi2: np.ndarray
    """(net,) of all data"""
    slope: np.ndarray
    """(net, dat) its gradient by the predictions that are not linear"""

    def error(self, factor: np.ndarray, nonlinear: np.ndarray) -> np.ndarray:
        """(net,) by how much chi2 changes, relatively, with other predictions `nonlinear` (net, dat).

        `factor` (dat, dat) whitens them.
        """
        change = nonlinear - self.nonlinear
        return (np.sum(self.slope * change, axis=1) + np.sum((change @ factor.T) ** 2, axis=1)) / self.chi2

    @property
    def weights(self) -> np.ndarray:
        """(net, 1) what makes the errors of all networks relative ones of their chi2."""
        return 1.0 / np.sqrt(self.chi2)[:, None]

    def joined(self, other: Sample) -> Sample:
        """The networks of both."""
        tables = [
            [np.concatenate(pair) for pair in zip(one, two, strict=True)]
            for one, two in zip(self.tables, other.tables, strict=True)
        ]
        names = "nonlinear", "chi2", "slope"
        return Sample(tables, *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def select(self, nets: np.ndarray) -> Sample:
        """Those of the networks (net,)."""
        tables = [[each[nets] for each in tables] for tables in self.tables]
        return Sample(tables, self.nonlinear[nets], self.chi2[nets], self.slope[nets])


@dataclass(frozen=True, eq=False)
class Curve:
    """The tables of ratios and the like from few rows: predictions of tables are `unmixed` times rows."""

    mixing: np.ndarray
    """(row, dat)"""
    unmixed: np.ndarray
    """(dat, row)"""

    def first(self, rows: int) -> Curve:
        """The first of its rows."""
        return Curve(self.mixing[:rows], self.unmixed[:, :rows])


@dataclass(frozen=True, eq=False)
class Condensed:
    """The features c of the chi2 that take the place of the predictions that are not linear."""

    tables: MixedTables
    """the rows of c, then those of the tables of ratios"""
    count: int
    """how many numbers c has"""
    curved: tuple[Curved, ...]
    unmixed: np.ndarray
    """(dat, row) predictions of the tables of ratios from their rows"""
    of_curved: np.ndarray
    """(dat, row) what the ratios add to c"""
    of_direct: np.ndarray
    """(dat, row) what the observables of one proton that are not linear add to c"""
    mixing: np.ndarray
    """(row, dat) c from the predictions that are not linear"""
    lift: np.ndarray
    """(dat, row) these from c"""
    around: np.ndarray
    """(net, x, working) PDFs such as fits pass through"""
    changes: np.ndarray
    """(net, x, working) by what they change"""

    def matrix(self, convolution: Convolution) -> np.ndarray:
        """(dat, feature) of `convolution` with c in place of what is not linear."""
        size = convolution.matrix.shape[1] - convolution.nonlinear_size
        return np.column_stack([convolution.matrix[:, :size], convolution.matrix[:, size:] @ self.lift])


def is_hadronic(observable: Nonlinear) -> bool:
    return any(isinstance(table, Bilinear) for table in observable.tables)


def is_curved(observable: Nonlinear) -> bool:
    """Whether it is a ratio or the like of hadronic tables."""
    return is_hadronic(observable) and not OPERATIONS[observable.operation].linear


def table_predictions(observables: Sequence[Nonlinear], xf: np.ndarray) -> list[list[np.ndarray]]:
    """Of each table of each observable the predictions (net, dat), for xf (net, x, working), in single precision."""
    by_flavour = np.swapaxes(xf, 1, 2).astype(np.float32)
    flat = xf.reshape(len(xf), -1)

    def predictions(table: PreparedTable) -> np.ndarray:
        if not isinstance(table, Bilinear):
            return flat @ table.T
        table = replace(table, values=np.asarray(table.values, np.float32))
        blocks = (by_flavour[k : k + _TOGETHER] for k in range(0, len(xf), _TOGETHER))
        return np.concatenate([bilinear_prediction(table, block, np) for block in blocks]).astype(float)

    return [[predictions(table) for table in each.tables] for each in observables]


def sampled(convolution: Convolution, whitened: np.ndarray, xf: np.ndarray) -> Sample:
    """The sample of PDFs xf (net, x, working); `whitened` (dat, feature + 1) as `FoldSource` has it."""
    observables = convolution.nonlinear
    tables = table_predictions(observables, xf)
    nonlinear = np.concatenate([operate(o.operation, t) for o, t in zip(observables, tables, strict=True)], axis=1)
    flat = xf.reshape(len(xf), -1)
    linear = flat if convolution.basis is None else flat @ convolution.basis
    residual = np.concatenate([linear, nonlinear], axis=1) @ whitened[:, :-1].T - whitened[:, -1]
    slope = 2.0 * residual @ whitened[:, linear.shape[1] : -1]
    return Sample(tables, nonlinear, np.sum(residual**2, axis=1), slope)


def _columns(observables: Sequence[Nonlinear]) -> list[slice]:
    """Where each stands among all."""
    ends = np.cumsum([o.ndata for o in observables])
    return [slice(int(end) - o.ndata, int(end)) for end, o in zip(ends, observables, strict=True)]


def curved_observables(observables: Sequence[Nonlinear]) -> tuple[Curved, ...]:
    """The ratios and the like of hadronic tables among the observables."""
    found, start = [], 0
    for o in filter(is_curved, observables):
        places = []
        for table in o.tables:
            assert isinstance(table, Bilinear)
            places.append((start, start + len(table.values)))
            start += len(table.values)
        found.append(Curved(o.operation, tuple(places)))
    return tuple(found)


def _curve(observables: Sequence[Nonlinear], whitened: np.ndarray, sample: Sample) -> Curve:
    """Rows for the tables of ratios, the most important first.

    `whitened` (dat, dat) are the columns of all predictions that are not linear.
    """
    predictions, weights = [], []
    for o, columns, tables in zip(observables, _columns(observables), sample.tables, strict=True):
        if is_curved(o):
            predictions.extend(tables)
            weights.extend(_weights(o.operation, np.linalg.norm(whitened[:, columns], axis=0), tables))
    if not predictions:
        return Curve(np.zeros((0, 0)), np.zeros((0, 0)))
    weight = np.concatenate(weights)
    weight = np.maximum(weight, 1e-6 * weight.max())
    _, values, vectors = np.linalg.svd(
        np.concatenate(predictions, axis=1) * weight * sample.weights, full_matrices=False
    )
    kept = int(np.sum(values > _LEAST * values[0]))
    return Curve(vectors[:kept] * weight, vectors[:kept].T / weight[:, None])


def _weights(operation: str, size: np.ndarray, tables: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each table (net, dat) of an observable, (dat,) by how many sigma its predictions move the observable.

    `size` (dat,) is what a change of the observable by one is in sigma.
    """
    middle, weights = [np.median(t, axis=0)[None] for t in tables], []
    for k, t in enumerate(tables):
        step = 1e-4 * middle[k]
        up, down = ([*middle[:k], middle[k] + d, *middle[k + 1 :]] for d in (step, -step))
        moved = np.abs(operate(operation, up) - operate(operation, down))[0]
        change = moved * size / (2e-4 * np.abs(middle[k][0]))
        weights.append(np.full(t.shape[1], np.sqrt(np.sum(change**2))) if t.shape[1] == 1 else change)
    return weights


def approximated(curve: Curve, observables: Sequence[Nonlinear], sample: Sample) -> np.ndarray:
    """The predictions that are not linear (net, dat), those of ratios from their rows."""
    flat = [t for o, tables in zip(observables, sample.tables, strict=True) if is_curved(o) for t in tables]
    result = sample.nonlinear.copy()
    if not flat:
        return result
    together = np.concatenate(flat, axis=1) @ curve.mixing.T @ curve.unmixed.T
    parts = iter(curved_observables(observables))
    for o, columns in zip(observables, _columns(observables), strict=True):
        if is_curved(o):
            each = next(parts)
            result[:, columns] = operate(each.operation, [together[:, a:b] for a, b in each.tables])
    return result


def _directions(factor: np.ndarray, sample: Sample, nonlinear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mixing (row, dat) and lift (dat, row) of all directions of a sample, the most important first."""
    _, values, vectors = np.linalg.svd((nonlinear @ factor.T) * sample.weights, full_matrices=False)
    vectors = vectors[values > _LEAST * values[0]]
    return vectors @ factor, linalg.solve_triangular(factor, vectors.T)


@dataclass(frozen=True, eq=False)
class Mixing:
    """What says how rows are mixed; the mixed tables follow from it."""

    curve: Curve
    mixing: np.ndarray
    """(row, dat) c from the predictions that are not linear"""
    lift: np.ndarray
    """(dat, row) these from c"""


def _factor(convolution: Convolution, whitened: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dat, dat) what whitens the predictions that are not linear, as columns of all data and as a factor."""
    columns = whitened[:, convolution.matrix.shape[1] - convolution.nonlinear_size : -1]
    return columns, np.asarray(np.linalg.qr(columns, mode="r"))


def leading_mixing(convolution: Convolution, whitened: np.ndarray, found: Sample, rows: int, ratios: int) -> Mixing:
    """The most important `rows` of a sample, and as many of ratios as `ratios` says."""
    columns, factor = _factor(convolution, whitened)
    curve = _curve(convolution.nonlinear, columns, found).first(ratios)
    mixing, lift = _directions(factor, found, approximated(curve, convolution.nonlinear, found))
    return Mixing(curve, mixing[:rows], lift[:, :rows])


def find_mixing(
    convolution: Convolution, whitened: np.ndarray, found: Sample, held: Sample, bound: float, most: int
) -> Mixing | None:
    """The rows that hold the chi2 of the sample `held`, which takes no part in finding them, to `bound`, relatively.

    `whitened` (dat, feature + 1) is that of `FoldSource`.  None where more than `most` rows would be needed, or more
    networks to find them.
    """
    observables, (columns, factor) = convolution.nonlinear, _factor(convolution, whitened)
    curve = everything = _curve(observables, columns, found)
    for ratios in range(_STEP, len(everything.mixing) + _STEP, _STEP):
        curve = everything.first(ratios)
        if _holds(held.error(factor, approximated(curve, observables, held)), 0.5 * bound):
            break
    mixing, lift = _directions(factor, found, approximated(curve, observables, found))
    nonlinear = approximated(curve, observables, held)
    for count in range(_STEP, min(most, len(mixing) + _STEP - 1) + 1, _STEP):
        if _holds(held.error(factor, nonlinear @ mixing[:count].T @ lift[:, :count].T), bound):
            return Mixing(curve, mixing[:count], lift[:, :count])
    return None


def _holds(errors: np.ndarray, bound: float) -> bool:
    sizes = np.abs(errors)
    return bool(np.quantile(sizes, _MOST_NETWORKS) <= 0.5 * bound and np.max(sizes) <= bound)


def build_condensed(
    observables: Sequence[Nonlinear], mixed: Mixing, around: np.ndarray, changes: np.ndarray
) -> Condensed:
    """The mixed tables, and what else the fast path needs; `around` and `changes` (net, x, working)."""
    curve, mixing, lift = mixed.curve, mixed.mixing, mixed.lift
    hadronic = [t for o in observables for t in o.tables if isinstance(t, Bilinear)]
    start, stop = hadronic_range(hadronic)
    count, rows = len(mixing), len(curve.mixing)
    parts: list[tuple[np.ndarray, Bilinear]] = []
    curved = curved_observables(observables)
    ratios = iter([each for o in curved for each in o.tables])
    for o, places in zip(observables, _columns(observables), strict=True):
        for table in o.tables:
            if not isinstance(table, Bilinear):
                continue
            both = np.zeros((count + rows, len(table.values)))
            if is_curved(o):
                both[count:] = curve.mixing[:, slice(*next(ratios))]
            else:
                whole = mixing[:, places]
                # a table of one row serves all points
                both[:count] = whole.sum(axis=1, keepdims=True) if len(table.values) == 1 else whole
            parts.append((both, table))
    chosen = [
        (places, is_curved(o), is_hadronic(o)) for o, places in zip(observables, _columns(observables), strict=True)
    ]
    none = np.zeros((0, count))
    return Condensed(
        tables=mixed_tables(parts, start, stop),
        count=count,
        curved=curved,
        unmixed=curve.unmixed,
        of_curved=np.concatenate([none, *(mixing[:, places].T for places, ratio, _ in chosen if ratio)]),
        of_direct=np.concatenate([none, *(mixing[:, places].T for places, _, hadronic in chosen if not hadronic)]),
        mixing=mixing,
        lift=lift,
        around=around,
        changes=changes,
    )
