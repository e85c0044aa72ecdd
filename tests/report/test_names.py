"""Names that mean something elsewhere: a trial's own numbers, mathematics, markup, letters that do not print."""

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperparton.errors import ReportError
from hyperparton.report.autofilter import autofilter
from hyperparton.report.filters import apply_filters, parse_filter
from hyperparton.report.losses import Loss
from hyperparton.report.options import Options
from hyperparton.report.scans import read_scans
from hyperparton.report.summary import summarise
from hyperparton.report.tables import best_setup, best_text, parameters_block, trial_table
from hyperparton.report.write import write_report
from hyperparton.text import literal
from hyperparton.trials.parameters import OWN_NAMES
from hyperparton.trials.trial import DONE, Trial

ODD = {
    "$x^{$": "$x^{$", "_": " _", "a_b": "a_b", "\\frac{1}{2}": "\\frac{1}{2}", "<script>fail()</script>": None,
    "a\nb": "a\\nb", "\ud800": "\\ud800", "\x00\x1b[2J": "\\x00\\x1b[2J", "\u202eabc": "\\u202eabc",
    "\u0627\u0644\u062d\u0645\u062f": None, "\u65e5\u672c": None, "W" * 10_000: "W" * 29 + "…", "": '""', "a/b": None,
    'url(#a) id="b"': None, "]]>": None, "=1+1": None,
}  # fmt: skip
"""name -> how a figure shows it; None: as it is"""


def test_text_is_shown_as_it_is_but_for_what_does_not_print():
    for name, expected in ODD.items():
        assert literal(name, 30) == (name if expected is None else expected.removeprefix(" "))
    assert literal("x" * 30, 30) == "x" * 30
    assert literal("x" * 31, 30) == "x" * 29 + "…"


@pytest.fixture(params=[*OWN_NAMES, "tid", "number", "epochs", "params", "id", "low", "high", "mean loss", "status_"])
def named(request):
    """A name and 40 trials of two hyperparameters, one of this name with the texts a and b; a is better."""
    name = request.param
    losses = [float(n % 2) + 0.01 * n for n in range(40)]
    return name, [
        Trial(n, {}, {"x": 0.1 * n, name: "ab"[n % 2]}, DONE, result={"status": "ok", "loss": loss})
        for n, loss in enumerate(losses)
    ]


def with_parameters(entry, values):
    """The entry of tries.json with these hyperparameters, whatever their names."""
    entry["misc"]["space_vals"] = values
    return entry


def columns_of(text):
    head, *body = csv.reader(io.StringIO(text))
    assert len(head) == len(set(head))
    return {name: [row[i] for row in body] for i, name in enumerate(head)}


def test_a_hyperparameter_may_have_any_name(named, tmp_path):
    name, trials = named
    own = f"parameter.{name}" if name in OWN_NAMES else name

    def kept(text):
        return [trial.number for trial in apply_filters(trials, [parse_filter(text)])]

    assert kept(f"'{own}'=a") == kept(f"{own} = a") == list(range(0, 40, 2))
    assert kept(f"{own}!=a") == kept(f"{own}=b") == list(range(1, 40, 2))
    assert kept("loss<0.05") == kept("trial=0|2|4") == [0, 2, 4]
    if name != "scan":
        # what a trial has of its own under this name is never `a`
        assert kept(f"{name}=a") == list(range(0, 40, 2))
    assert [gone.combination for gone in autofilter(trials, [name], Loss())[1]] == [f"{own}=b"]
    table = columns_of(trial_table(trials, Loss()).csv())
    assert table[own] == ["a"] * 20 + ["b"] * 20
    assert table["trial"] == [str(n) for n in [*range(0, 40, 2), *range(1, 40, 2)]]
    assert [float(loss) for loss in table["loss"]] == pytest.approx(sorted(trial.loss for trial in trials))
    head, first = (line.split() for line in best_text(trials, 1).splitlines()[1:])
    assert len(head) == len(set(head)) == len(first) or " " in name
    assert parameters_block(trials[0].parameters) == f"parameters:\n  x: 0.0\n  {name}: a\n"
    assert (own, "a") in best_setup(trials[0], Loss()).rows


def test_every_table_and_figure_of_such_a_report(tmp_path, entry):
    names = ["loss", "status", "trial", "low", "parameter.loss"]
    values = [{name: (n * k) % 7 + 0.5 for k, name in enumerate(names, 1)} for n in range(20)]
    trials = [with_parameters(entry(n, float(n % 2)), chosen) for n, chosen in enumerate(values)]
    path = tmp_path / "tries.json"
    path.write_text(json.dumps(trials))
    page = write_report(summarise(read_scans([path])), tmp_path / "out")
    for file in (page.parent / "tables").glob("*.csv"):
        columns_of(file.read_text())
    shown = columns_of((page.parent / "tables" / "trials.csv").read_text())
    assert {"parameter.loss", "parameter.status", "parameter.trial", "parameter.parameter.loss", "low"} <= set(shown)
    curve = columns_of((page.parent / "tables" / "dependence_low.csv").read_text())
    assert list(curve) == ["parameter.low", "mean loss", "low", "high"]


def test_the_names_of_sections_do_not_hide_each_other():
    """`optimizer` and `positivity` are shown without their names, as validphys does, unless that is taken."""
    values = {"a.b": 1, "a": {"b": 2}, "optimizer": {"optimizer_name": "Adam", "rate": 3}, "rate": 4}
    trial = Trial(0, {}, values)
    assert trial.stated == {"a.b": 1, "parameter.a.b": 2, "optimizer": "Adam", "parameter.rate": 3, "rate": 4}
    # one of these names goes before what would be derived; a text is no list of widths
    own = Trial(0, {}, {"nodes_per_layer": "few", "stopping_epochs": 7, "epochs": 2, "stopping_patience": 0.5})
    assert own.values == own.stated == own.space_vals
    assert own.parameters == own.space_vals


def test_keys_in_quotes():
    chosen = parse_filter("'a <= b' != 3")
    assert (chosen.key, chosen.operator, chosen.values) == ("a <= b", "!=", ("3",))
    assert parse_filter('"it\'s"=x').key == "it's"
    with pytest.raises(ReportError, match="not understood"):
        parse_filter("'a=3")


TEXT = st.text(st.characters(), max_size=12)
NUMBER = st.floats() | st.integers(-(2**70), 2**70)
VALUE = st.none() | st.booleans() | NUMBER | TEXT | st.lists(NUMBER | TEXT, max_size=3)


@given(
    st.lists(
        st.tuples(st.dictionaries(TEXT, VALUE | st.dictionaries(TEXT, VALUE, max_size=2), max_size=4), st.floats()),
        max_size=6,
    )
)
@settings(max_examples=60)
def test_tables_of_any_trials(drawn):
    """Every trial is a row, every hyperparameter a column of its own; what is written can be read."""
    from hyperparton.trials.tries_entry import from_tries
    from hyperparton.trials.tries_read import _plain

    trials = [
        from_tries({
            "tid": n, "state": 2, "result": _plain({"status": "ok", "loss": loss}, ""),
            "misc": {"space_vals": values, "vals": {}},
        })
        for n, (values, loss) in enumerate(drawn)
    ]  # fmt: skip
    table = trial_table(trials, Loss(), failures=True)
    assert len(table.columns) == len(set(table.columns))
    assert sorted(row[table.columns.index("trial")] for row in table.rows) == list(range(len(trials)))
    assert len(list(csv.reader(io.StringIO(table.csv())))) == len(trials) + 1
    lines = best_text(trials, 10).splitlines()
    assert len(lines) == 2 + sum(trial.ok for trial in trials)
    for trial in trials:
        leaves = sum(len(v) if isinstance(v, dict) else 1 for v in trial.space_vals.values())
        assert len(trial.stated) == leaves


@pytest.fixture(scope="module")
def odd_report(tmp_path_factory, entry):
    """A report on trials with all the odd names, as hyperparameters and as categories."""
    folder = tmp_path_factory.mktemp("odd")
    names = list(ODD)
    entries = []
    for n in range(18):
        values = {name: 0.1 * ((n * (k + 3)) % 11) if k % 2 else names[(n + k) % 3] for k, name in enumerate(names)}
        values["kind"] = names[n % len(names)]
        entries.append(with_parameters(entry(n, float(n % 5), owner=names[n % 3]), values))
    entries[7]["result"] = {"status": "fail", "failure": {"type": "$x^{$", "message": "a\ud800\nb"}}
    (folder / "tries.json").write_text(json.dumps(entries))
    summary = summarise(read_scans([folder / "tries.json"]), Options(title="\ud800 $x^{$ <b>"))
    return write_report(summary, folder / "out"), summary


def test_odd_names_stand_in_figures_and_tables(odd_report):
    page, summary = odd_report
    assert {column.name for column in summary.columns} == {*ODD, "kind"}
    svgs = {path.stem: ET.parse(path).getroot() for path in (page.parent / "figures").glob("*.svg")}
    texts = {stem: [element.text for element in svg.iterfind(".//{*}text")] for stem, svg in svgs.items()}
    for name, expected in ODD.items():
        shown = name if expected is None else expected
        drawn = [stem for stem, found in texts.items() if stem.startswith(("scatter", "violin")) and shown in found]
        assert drawn, name
    tables = page.parent / "tables"
    assert {path.stem for path in tables.glob("*.csv")} >= set(svgs)
    with (tables / "trials.csv").open(newline="", encoding="utf-8") as file:
        head = next(csv.reader(file))
    assert {name.encode(errors="backslashreplace").decode() for name in ODD} <= set(head)
    assert (tables / "failures.csv").read_text().count("a\\ud800") == 1


def test_odd_names_in_a_browser(odd_report, browse):
    page, _ = odd_report
    with browse(True) as browser:
        browser.open(page.as_uri())
        assert browser.text("h1") == "\\ud800 $x^{$ <b>"
        captions = browser.run("return [...document.querySelectorAll('figcaption')].map(c => c.textContent)")
        for name in (
            "$x^{$",
            "<script>fail()</script>",
            "\\frac{1}{2}",
            "\u0627\u0644\u062d\u0645\u062f",
            "\u65e5\u672c",
        ):
            assert any(caption.startswith(name) for caption in captions), name
        broken = "return [...document.querySelectorAll('svg use')].filter("
        broken += "u => !document.querySelector(u.getAttribute('xlink:href'))).length"
        assert browser.run(broken) == 0
        assert browser.complaints() == []
