"""What figures show: places and colours of what is drawn, against numbers computed here."""

import numpy as np
import pytest

from hyperparton.report.convergence import convergence, workers
from hyperparton.report.hyperparameters import columns
from hyperparton.report.losses import Loss
from hyperparton.report.panels import panels
from hyperparton.report.plots.convergence import plot_convergence, plot_running_averages, plot_workers
from hyperparton.report.plots.parameters import plot_parallel, plot_violins
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.write import write_report


def grey(colour):
    """How light a colour is on a print in grey (ITU-R BT.709)."""
    return float(np.dot(np.asarray(colour)[:3], [0.2126, 0.7152, 0.0722]))


def test_parallel_coordinates_end_at_the_loss(rows):
    """The higher the loss, the higher the line ends and the lighter it is; of the best it is the lowest."""
    losses = np.array([1.0, 1.1, 1.3, 1.2, 1.5, 1.4])
    trials = rows(*((i, loss, {"x": 0.1 * i, "kind": "ab"[i % 2]}) for i, loss in enumerate(losses.tolist())))
    axes = plot_parallel(columns(trials), losses, "loss").axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3 and line.get_xdata()[-1] == 2]
    assert len(lines) == 6
    # the best is drawn last
    order = [float(line.get_ydata()[-1]) for line in lines[::-1]]
    assert order == sorted(order)
    lowest, highest = axes.get_ylim()
    assert all(lowest < height < highest for height in order)
    from matplotlib.colors import to_rgb

    shades = [grey(to_rgb(line.get_color())) for line in lines[::-1]][1:]
    assert shades == sorted(shades)
    assert shades[-1] - shades[0] > 0.2
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "kind", "loss"]


def test_the_plane_of_chi2_and_phi2(scan_folder):
    """Trial 27 has the lowest loss; χ² is 1.5 times the loss, 1/phi2 is 1 / 0.375 for all: see the fixture."""
    summary = summarise(read_scans([scan_folder()]))
    panel = panels(summary)["planes"]
    assert panel.table.columns == (
        "trial",
        "loss",
        "hidden χ² (average over folds)",
        "hidden 1/phi2 (average over folds)",
    )
    assert panel.table.rows[0][0] == "27"
    for _, loss, chi2, phi2 in panel.table.rows:
        assert chi2 == pytest.approx(1.5 * loss)
        assert phi2 == pytest.approx(1 / 0.375)
    first = panel.draw().axes[0]
    points = np.asarray(first.collections[0].get_offsets())
    expected = sorted((1.5 * trial.loss, trial.loss) for trial in summary.trials if trial.ok)
    # points beyond the axis stand at its edge
    edges = first.get_xlim()[1], first.get_ylim()[1]
    np.testing.assert_allclose(sorted(map(tuple, points)), sorted(map(tuple, np.fmin(expected, edges))))


def test_without_phi2_there_is_no_plane(tmp_path, entry):
    import json

    (tmp_path / "tries.json").write_text(json.dumps([entry(i, 1.0 + i, x=float(i)) for i in range(5)]))
    assert "planes" not in panels(summarise(read_scans([tmp_path])))


def test_pauses_are_cut_out(rows):
    """Trials of 10 s one after the other, a restart half an hour later, another after 30 s, which is no pause."""
    begins = [0, 10, 20, 1830, 1840, 1880]
    trials = rows(*((i, 1.0, {"begin": float(begin), "seconds": 10.0}) for i, begin in enumerate(begins)))
    found = convergence(trials, Loss())
    assert found.pauses == (1800.0,)
    np.testing.assert_allclose(found.seconds, [10, 20, 30, 40, 50, 90])


def test_long_trials_are_no_pause(rows):
    """Two workers: one trial spans what seems a pause of the others; then some trials' time is waited for."""
    spans = [(0, 100), (100, 200), (150, 900), (800, 900), (1700, 1800)]
    trials = rows(*((i, 1.0, {"begin": float(a), "seconds": float(b - a)}) for i, (a, b) in enumerate(spans)))
    found = convergence(trials, Loss())
    assert found.pauses == ()
    assert max(found.seconds) == 1800


def test_an_average_is_seen_whatever_one_trial_is(rows):
    """One loss of a million leaves the axis to the others, and the page says how many lie above."""
    values = np.array([1.0, 2.0, 1.5, 1e6, 1.2, 1.4, 1.1, 1.3, 1.2])
    averages = np.cumsum(values) / np.arange(1, len(values) + 1)
    axes = plot_running_averages([("loss", values, averages)]).axes[0]
    assert axes.get_ylim()[1] < 1e6
    assert any("above the axis" in axes.get_title(loc) for loc in ("left", "center", "right"))


def test_a_median_above_the_axis_is_marked(rows):
    """Of the category whose trials are all far worse, the median stands at the edge."""
    losses = [1.0, 1.1, 1.2, 1.15, 1.05, 1.08] * 4 + [1e5, 2e5, 3e5]
    kinds = ["good"] * 24 + ["bad"] * 3
    trials = rows(
        *((i, loss, {"kind": kind, "x": i}) for i, (loss, kind) in enumerate(zip(losses, kinds, strict=True)))
    )
    column = next(column for column in columns(trials) if column.name == "kind")
    axes = plot_violins(column, np.array(losses), "loss").axes[0]
    top = axes.get_ylim()[1]
    place = column.categories.index("bad")
    marked = [line for line in axes.lines if line.get_marker() == "^" and line.get_color() == "#222222"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marked] == [(place, top)]


def test_very_many_points_are_one_picture(rows, browse, tmp_path, entry):
    """The page of 2,500 trials stays small, shows the points, says what is left out of the table, and complains not."""
    import json

    random = np.random.default_rng(1)
    entries = [
        entry(i, 1.0 + 1e-3 * i, x=float(random.uniform()), kind="ab"[i % 2], begin=0.1 * i, seconds=0.1)
        for i in range(2500)
    ]
    (tmp_path / "tries.json").write_text(json.dumps(entries))
    page = write_report(summarise(read_scans([tmp_path])), tmp_path / "out")
    assert page.stat().st_size < 2_500_000
    assert (tmp_path / "out" / "figures" / "scatter_x.svg").read_text().count("<image") == 1
    assert len((tmp_path / "out" / "tables" / "trials.csv").read_text().splitlines()) == 2501
    with browse() as browser:
        browser.open(page.as_uri())
        assert browser.complaints() == []
        assert browser.run("return document.querySelectorAll('#trials tbody tr').length") == 2000
        assert "Best first; 500 more stand in the CSV." in browser.text("#trials .reading")


def test_the_line_of_the_best_passes_every_improvement(rows):
    """Against the running minimum; where it does not change, a line of steps needs no points."""
    losses = [None, 5.0, 4.0, 4.5, 6.0, 4.0, 3.0, None, 3.5, 3.2]
    found = convergence(rows(*((i, loss, {"x": float(i)}) for i, loss in enumerate(losses))), Loss())
    axes = plot_convergence(found, "loss").axes[0]
    (line,) = [each for each in axes.lines if each.get_label() == "best so far"]
    assert line.get_drawstyle() == "steps-post"
    at, best = map(np.asarray, line.get_data())
    assert at.tolist() == [1, 2, 3, 7, 10]
    np.testing.assert_array_equal(best, [np.nan, 5.0, 4.0, 3.0, 3.0])


def test_a_long_average_keeps_its_course():
    """Of 5,000 trials some hundred points are enough, both ends among them."""
    values = np.linspace(2.0, 1.0, 5000)
    means = np.cumsum(values) / np.arange(1, 5001)
    (line,) = [
        each for each in plot_running_averages([("loss", values, means)]).axes[0].lines
        if each.get_label() == "running average"
    ]  # fmt: skip
    at, drawn = map(np.asarray, line.get_data())
    assert len(at) <= 1000
    assert (at[0], at[-1]) == (1, 5000)
    np.testing.assert_allclose(np.interp(np.arange(1, 5001), at, drawn), means, atol=1e-6)


@pytest.mark.parametrize(("count", "width"), [(5, 0.5), (200, 0.0)])
def test_edges_do_not_cover_many_bars(rows, count, width):
    trials = rows(*((i, 1.0, {"x": float(i), "begin": 10.0 * i, "seconds": 9.0}) for i in range(count)))
    axes = plot_workers(workers(trials)).axes[0]
    assert {float(w) for bars in axes.collections for w in np.atleast_1d(bars.get_linewidth())} == {width}
