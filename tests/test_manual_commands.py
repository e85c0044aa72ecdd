"""The commands and snippets of the manual and the README: the options are those of the program, the snippets run.

Commands of hyperparton are parsed as the command line parses them, all of them; those of the first pages run whole in
`tests/cli/test_init_command.py`. Snippets that need n3fit or servers run elsewhere; `ELSEWHERE` says where, and the
test run names them.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from hyperparton import Execution, HyperScanner, Limits, ScanSettings, run_scan, scan_runcard
from hyperparton.cli import group
from hyperparton.trials.tries_read import read_trials

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: what stands for something of the reader's -> what it could be
PLACEHOLDERS = dict.fromkeys(("K", "N", "R", "W", "B", "S", "NUMBER"), "2") | {
    "URL": "sqlite:///trials.db", "NAME": "gp", "ADDR": "tcp://localhost:8786", "ADDRESS": "tcp://localhost:8786",
    "KEY": "optimizer", "KEY=VALUE": "optimizer=Adam", "A-B": "1-4",
}  # fmt: skip

#: (page, words of a snippet) -> the test that runs it, or what runs it where n3fit or a server is
ELSEWHERE = {
    ("README.md", "minimise(lambda"): "tests/test_package.py",
    ("own-trainer.md", "minimise(lambda"): "tests/test_manual.py",
    ("own-trainer.md", "def loss(params, seed, report)"): "tests/test_manual.py",
    ("own-trainer.md", "hp_choice("): "tests/test_manual.py",
    ("paper.md", "read_scans"): "tests/report/test_paper.py",
    ("paper.md", "trials_frame"): "tests/report/test_paper.py",
    ("paper.md", "new_figure"): "tests/report/test_paper.py",
    ("from-n3fit.md", "n3fit_exec"): "NEEDS N3FIT: tests/n3fit",
    ("clusters.md", "MongodRunner"): "NEEDS A MONGOD: its calls are those of tests/trials/test_mongod.py",
}


def blocks(page, *kinds):
    """(language, text) of the blocks of code on a page."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [(kind, text) for kind, text in found if kind in kinds]


def lines_of(page):
    """The lines of commands in the blocks and in the text of a page, without remarks."""
    text = page.read_text(encoding="utf-8")
    lines = [line for _, block in blocks(page, "", "sh") for line in block.replace("\\\n", "").splitlines()]
    lines += [line.strip() for line in re.findall(r"^ {4}hyperparton .*$", text, re.MULTILINE)]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [" ".join(words.split()) for words in re.findall(r"`(hyperparton [^`]+)`", prose)]
    return [line.partition(" #")[0].strip() for line in lines]


OURS = re.compile(r"hyperparton (?!COMMAND)")
COMMANDS = sorted({(page.name, line) for page in PAGES for line in lines_of(page) if OURS.match(line)})
SCRIPTS = sorted({(page.name, line) for page in PAGES for line in lines_of(page) if "benchmarks/" in line})
SNIPPETS = [(page.name, text) for page in PAGES for _, text in blocks(page, "python")]


def test_there_are_commands():
    assert len(COMMANDS) > 40
    assert {"scan", "report", "best", "check", "fit", "confirm", "theory"} <= {line.split()[1] for _, line in COMMANDS}


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: value[:60])
def test_a_command_is_one_of_the_program(page, line):
    line = re.sub(r"\[([^\]]*)\]|…|\.\.\.", r" \1 ", line).partition(" && ")[0].partition(" | ")[0]
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)[1:]]
    command, context = group, None
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        names = words[0].split("|")  # such as `theory list|build|check`
        assert set(names) <= set(command.list_commands(context)), f"{page}: no command {words[0]}"
        command, context = command.get_command(context, names[0]), None
        words = words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = [word.partition("=")[0] for word in words if re.match(r"-{1,2}[a-zA-Z]", word)]
    assert [option for option in options if option not in known | {"--help"}] == []
    needed = [parameter.name for parameter in command.params if parameter.required]
    if len(words) > 1 and not any(word in ("--schema", "--help") for word in words):  # a whole one, no mention
        missing = set(needed) - set(command.make_context(command.name, list(words), resilient_parsing=True).params)
        assert not missing


@pytest.mark.parametrize(("page", "line"), SCRIPTS, ids=lambda value: value[:60])
def test_a_benchmark_has_its_options(page, line):
    script, *words = shlex.split(line[line.index("benchmarks/") :])
    path = ROOT / script
    assert path.is_file(), page
    source = "".join(each.read_text(encoding="utf-8") for each in (path, ROOT / "benchmarks" / "commands.py"))
    for word in words:
        if word.startswith("--"):
            assert f'"{word}"' in source, f"{script} has no {word}"


def test_each_snippet_is_python_and_runs_somewhere(capsys):
    """Those that this run does not run are named, so that nobody takes them for tested."""
    told = []
    for page, text in SNIPPETS:
        ast.parse(_whole(text))
        homes = [home for (where, words), home in ELSEWHERE.items() if where == page and words in text]
        here = any(words in text for where, words in HERE if where == page)
        assert homes or here, f"{page}: no test runs\n{text}"
        told += [f"{page}: {home}" for home in homes if home.startswith("NEEDS")]
        for home in homes:
            assert (ROOT / home.split()[-1]).exists()
    with capsys.disabled():
        print("\nsnippets of the manual that are NOT run here:", *sorted(set(told)), sep="\n  ")


HERE = {
    ("own-trainer.md", words)
    for words in ("class Parabola", "class Trainer", "_batch(self", "def refit", "fails_below", "run_scan(")
} | {("report.md", "optuna.load_study")}


def _whole(text):
    """A snippet that is a part of a class or of a method, as one."""
    if text.startswith("        "):
        return f"class Part:\n    def method(self, loss, waited):\n{text}"
    return f"class Part:\n{text}" if text.startswith("    ") else text


def _of_own_trainer():
    """What the snippets of the page from `## A trainer` on define, run one after the other."""
    names = {}
    for page, text in SNIPPETS:
        if page == "own-trainer.md" and any(words in text for where, words in HERE if where == page):
            exec(compile(_whole(text), page, "exec"), names)
            names.update({word: names["Part"] for word in ("Batch", "Refit", "Nearly") if _is(word, text)})
    return names


def _is(word, text):
    return {"Batch": "_batch(self", "Refit": "def refit", "Nearly": "fails_below"}[word] in text


def test_the_snippets_on_trainers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = _of_own_trainer()
    # 30 random trials of the first call, 60 of the second in all, of which the best is near 2
    assert abs(names["best"]["x"] - 2.0) < 0.5
    assert len(read_trials("scans/parabola")) == 60
    assert names["make_trainer"]({}).hyperparametrizable({"x": 5.0}) == {"status": "ok", "loss": 9.0}

    # what reports can be pruned
    space = HyperScanner.of_space(_ranges())
    settings = ScanSettings(engine="random", seed=1, prune=True)
    run_scan("scans/rates", names["Trainer"](), space, 25, settings=settings)
    kept = read_trials("scans/rates")
    assert any(trial.pruned for trial in kept)
    assert kept[0].learning_curve[0][0] == 10

    class Ours(names["Batch"], names["Refit"], names["Parabola"]):
        def loss_of(self, params, seed):
            return params["x"] + seed

    names["result_of"] = lambda params: {"status": "ok", "loss": params["x"]}
    names["Batch"].hyperparametrizable_batch.__globals__["result_of"] = names["result_of"]
    ours = Ours()
    assert [each["loss"] for each in ours.hyperparametrizable_batch([{"x": 1.0}, {"x": 2.0}], [None, None])] == [1, 2]
    assert ours.refit({"x": 0.5}, [2, 3])["replica_losses"] == [1002.5, 1003.5]
    assert names["Nearly"]().method(1.5, 40) == {"status": "ok", "loss": 1.5, "fails_below": {"patience": 40}}


def _ranges():
    from hyperparton import hp_loguniform

    return {"epochs": 100, "rate": hp_loguniform("rate", 1e-4, 1e-1)}


def test_the_card_of_a_trainer(tmp_path, monkeypatch):
    """The class in `parabola.py` and the card beside it, with the further parameters that the page shows."""
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "own-trainer.md"
    (source,) = [text for _, text in blocks(page, "python") if "class Parabola" in text]
    Path("parabola.py").write_text(source, encoding="utf-8")
    card, more = (text for _, text in blocks(page, "yaml"))
    declared = "parameters: {x: 0.0, learning_rate: 0.1, nodes: 5, width: 10, activation: tanh}"
    Path("card.yml").write_text(card.replace("parameters: {x: 0.0}", declared) + more, encoding="utf-8")
    scan_runcard(
        "card.yml",
        trials=4,
        settings=ScanSettings(engine="random"),
        execution=Execution(limits=Limits(), confirm=0),
    )
    for trial in read_trials("card"):
        assert 1e-4 <= trial.values["learning_rate"] <= 1e-1
        assert trial.values["nodes"] in range(5, 51)
        assert trial.values["width"] in range(10, 51, 10)
        assert trial.values["activation"] in ("tanh", "relu")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="NOT TESTED: needs scikit-learn")
def test_the_snippet_on_optuna(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from hyperparton.cli.export import export

    source = "class Bowl:\n    def set_hyperopt(self, on, keys=None): ...\n"
    source += "    def hyperparametrizable(self, p): return {'status': 'ok', 'loss': p['x'] ** 2 + 0.01 * p['y']}\n"
    Path("bowl.py").write_text(source + "def make(card): return Bowl()\n", encoding="utf-8")
    space = "hyperscan_config: {space: {x: {min: -5, max: 5}, y: {min: 0, max: 1}}}\n"
    Path("card.yml").write_text("trainer: bowl:make\nparameters: {x: 0.0, y: 0.0}\n" + space, encoding="utf-8")
    scan_runcard("card.yml", "DIR", 20, settings=ScanSettings(engine="random"), execution=Execution(confirm=0))
    export.main(["DIR"], standalone_mode=False)
    (text,) = [text for page, text in SNIPPETS if page == "report.md"]
    import matplotlib

    matplotlib.use("agg")
    names = {}
    exec(compile(text, "report.md", "exec"), names)
    found = names["optuna"].importance.get_param_importances(names["study"])
    assert found["x"] > 0.9
