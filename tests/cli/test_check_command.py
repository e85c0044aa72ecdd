# ruff: noqa: E501 (one card a line)
"""`hyperparton check`: what `scan` and `fit` would refuse, all of it at once, each line with its place."""

import re
from pathlib import Path

import pytest

EXAMPLE = (Path(__file__).parents[2] / "examples" / "dis_small.yml").read_text(encoding="utf-8")
SETS = (
    "SLAC_NC_NOTFIXED_P_EM-F2",
    "SLAC_NC_NOTFIXED_D_EM-F2",
    "BCDMS_NC_NOTFIXED_P_EM-F2",
    "BCDMS_NC_NOTFIXED_D_EM-F2",
)


@pytest.fixture
def check(hyperparton, tmp_path):
    """Checks the example with texts in place of others; gives the exit code, the output and the lines of the error."""

    def run(*changes, options=(), command="check"):
        text = EXAMPLE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "card.yml"
        path.write_text(text, encoding="utf-8")
        code, out, err = hyperparton(command, path, *options)
        return code, out.replace(f"{path}:", ""), [line.removeprefix(f"{path}:") for line in err.splitlines()]

    return run


SPREAD = ("loss_type: chi2", "loss_type: phi2")
#: (changes of the example, the beginnings of the lines that are told)
T15 = "  - {fl: t15, smallx: [1.081, 1.142], largex: [1.491, 3.092], trainable: false}"
V3 = "  - {fl: v3, smallx: [0.07483, 0.4501], largex: [1.714, 3.467], trainable: false}\n"
FAULTS = {
    "no charm in the basis": (
        [("fitbasis: EVOL", "fitbasis: NN31PC"), (T15, ""), (", 8]", ", 7]")],
        [
            "51:13: fitting.fitbasis: has no charm PDF of its own, and theory 40000000 is one with fitted charm (IC 1), gi"
        ],
    ),
    "a sum rule without its PDF": (
        [(V3, ""), (", 8]", ", 7]")],
        [
            "53:3: fitting.basis: sum_rules All scale v3, for which the basis has no element, accepted: also v3, or other"
        ],
    ),
    "phi2 of one replica": ([SPREAD], ["35:14: kfold.loss_type: phi2 is the spread"]),
    "std of one replica": (
        [("loss_type: chi2", "loss_type: chi2\n  replica_statistic: std")],
        ["36:22: kfold.replica_statistic: std is the spread of the best replicas"],
    ),
    "std of one fold": (
        [("fold_statistic: average", "fold_statistic: std"), ("  - datasets: [SLAC_NC_NOTFIXED_D_EM-F2, B", "#  [")],
        ["36:19: kfold.fold_statistic: std is the spread of the losses of folds"],
    ),
    "std of one fold that counts": (
        [("fold_statistic: average", "fold_statistic: std"), ("EM-F2]\nparam", "EM-F2]\n    weight: 0\nparam")],
        ["36:19: kfold.fold_statistic: std is the spread of the losses of folds"],
    ),
    "no fold that counts": ([("EM-F2]\n", "EM-F2]\n    weight: 0\n")], ["39:3: kfold.partitions: no fold counts"]),
    "sets that are cut": (
        [("q2min: 3.49", "q2min: 29")],
        [f"{6 + i}:3: dataset_inputs[{i}]: {SETS[i]}: no point passes the cuts" for i in (0, 1)],
    ),
    "scanned twice": (
        [
            (
                "    activations: [tanh, sigmoid]",
                "    activations: [tanh, sigmoid]\n  space: {epochs: {min: 10, max: 20}}",
            )
        ],
        ["34:19: hyperscan_config.space.epochs: 'epochs' is scanned a second time, first by stopping.max_epochs"],
    ),
    "nothing trains": (
        [("genrep: false", "genrep: false\ndiagonal_frac: 0.001")],
        ["20:16: diagonal_frac: leaves none of the 367 eigenmodes of fold 1 to train, given 0.001"],
    ),
    "no eigenmode above the threshold": (
        [("genrep: false", "genrep: false\nthreshold: 1e3")],
        ["20:12: threshold: leaves no eigenmode of fold 1 to train, given 1000, accepted: below "],
    ),
    "a matrix that is no file": (
        [("genrep: false", "genrep: false\ntheorycovmatconfig: {user_covmat_path: none.csv}")],
        ["20:40: theorycovmatconfig.user_covmat_path: none.csv is not there; searched: "],
    ),
    "nothing trains of the points": (
        [("genrep: false", "genrep: false\ndiagonal_basis: false"), ("frac: 0.75", "frac: 1e-9")],
        ["6:1: dataset_inputs: the shares `frac` leave no point of fold 1 to train in replica 1"],
    ),
    "a rate below zero": (
        [("learning_rate: {sampling: log, min: 1e-3, max: 2e-2}\n    clip", "learning_rate: -0.001\n    clip")],
        ["24:20: hyperscan_config.optimizer[0].learning_rate: is out of range, given -0.001"],
    ),
    "a rate of zero at the end of a range": (
        [("{sampling: log, min: 1e-3, max: 2e-2}\n    clip", "{min: 0, max: 2e-2}\n    clip")],
        [
            "24:20: hyperscan_config.optimizer[0].learning_rate: min is out of range, given 0, accepted: a number above 0"
        ],
    ),
    "a rate below zero in a choice": (
        [
            ("  optimizer:\n  - optimizer_name: Nadam\n", "  space: {optimizer: {choice: [{optimizer_name: Nadam}, "),
            (
                "    learning_rate: {sampling: log, min: 1e-3, max: 2e-2}\n    clipnorm: {sampling: log, min: 1e-6, max",
                "#",
            ),
            ("  - optimizer_name: RMSprop\n    learning_rate: {sampling: log, min: 1e-3, max: 2e-2}\n", "#\n"),
            ("#: 1e-3}", "    {optimizer_name: Adam, learning_rate: -1}]}}"),
        ],
        ["22:22: hyperscan_config.space.optimizer: optimizer option 2 cannot be fitted: the parameters of a fit: "],
    ),
    "a range inside a choice": (
        [("  architecture:", "  space: {stopping_delta: {choice: [{a: {min: 0, max: 1}}]}}\n  architecture:")],
        ["28:27: hyperscan_config.space.stopping_delta: a range or a choice inside an option is not sampled"],
    ),
    "all that is wrong": (
        [
            SPREAD,
            ("_P_EM-F2, frac: 0.75, variant: legacy_dw}", "_P_EM-F2, frac: 0.75}"),
            ("theoryid: 40_000_000", "theoryid: 12345"),
            ("HYPERPARTON_dis_t0", "NO_SUCH_SET"),
            ("trvlseed", "added_filter_rules: [{dataset: NO_SUCH, rule: x > 1}]\ntrvlseed"),
        ],
        [
            "6:3: dataset_inputs[0]: data set SLAC_NC_NOTFIXED_P_EM-F2 needs a variant, it has: legacy, legacy_dw",
            "8:3: dataset_inputs[2]: data set BCDMS_NC_NOTFIXED_P_EM-F2 needs a variant, it has: ",
            "11:13: datacuts.t0pdfset: PDF set 'NO_SUCH_SET' is not installed",
            "15:13: theory.theoryid: theory 12345 is not there",
            "16:32: added_filter_rules[0].dataset: unknown data set 'NO_SUCH'",
            "36:14: kfold.loss_type: phi2 is the spread",
        ],
    ),
    "a theory without the tables": (
        [("trvlseed", "positivity: {posdatasets: [{dataset: NNPDF_POS_100GEV_XUQ, maxlambda: 1}]}\ntrvlseed")],
        [
            "15:13: theory.theoryid: theory 40000000 (shipped with hyperparton) lacks FK tables or C-factors of 1 data s",
            "16:28: positivity.posdatasets[0]: theory 40000000 (shipped with hyperparton) lacks FK tables or C-factors o",
        ],
    ),
    "a multiplier that grows beyond numbers": (
        [
            ("trvlseed", "positivity: {posdatasets: [{dataset: NNPDF_POS_2P24GEV_F2U, maxlambda: 1}]}\ntrvlseed"),
            ("  epochs: 300", "  epochs: 300\n  positivity: {initial: 1, multiplier: 1e30}"),
        ],
        [
            "22:3: hyperscan_config: a trial in the middle of the ranges cannot be fitted: positivity: the multiplier of NNPDF_POS_2P24GEV_F2U",
            "48:15: parameters.positivity: the multiplier of NNPDF_POS_2P24GEV_F2U does not fit int",
        ],
    ),
}


@pytest.mark.parametrize(("changes", "told"), FAULTS.values(), ids=FAULTS)
def test_faults(check, changes, told):
    code, out, lines = check(*changes)
    assert (code, out) == (1, "")
    assert [line[: len(start)] for line, start in zip(lines, told, strict=True)] == told
    # a theory that another machine may have has a code of its own
    scanned = 6 if all("lacks FK tables" in line for line in lines) else 1
    assert check(*changes, options=("--trials", 1, "-o", "nowhere"), command="scan") == (scanned, "", lines)
    assert not Path("nowhere").exists()


#: (where a rule stands in the card, what is told of it)
RULES = {
    "{dataset: SLAC_NC_NOTFIXED_P_EM-F2, rule: foo > 1}": "16:64: added_filter_rules[0].rule: cut of SLAC_NC_NOTFIXED_P"
    "_EM-F2: 'foo > 1' needs foo, known are: q2min, w2min, maxTau, idat, central_value, x, Q2, y",
    "{process_type: DIS_ALL, rule: x > a, local_variables: {a: b + 1}}": "16:52: added_filter_rules[0].rule: cut of SLA",
    "{dataset: SLAC_NC_NOTFIXED_P_EM-F2}": "16:22: added_filter_rules[0].rule: 'rule' is missing",
    "{process_type: DIS_ALL, rule: x >}": "16:22: added_filter_rules[0]: not an expression: 'x >'",
    "{process_type: DIS_ALL, rule: x > 0, PTO: NLLO}": "16:22: added_filter_rules[0]: PTO of a rule is an order such as",
    f"{{process_type: DIS_ALL, rule: '{'(' * 300}x{')' * 300}'}}": "16:22: added_filter_rules[0]: ",
    f"{{process_type: DIS_ALL, rule: {'x > 0 and ' * 35_000} x > 1}}": "16:22: added_filter_rules[0]: an expression has at",
    "{dataset: SLAC_NC_NOTFIXED_P_EM-F3, rule: x > 0}": "16:32: added_filter_rules[0].dataset: unknown data set 'SLAC",
}


@pytest.mark.parametrize(("rule", "told"), RULES.items(), ids=range(len(RULES)))
def test_rules(check, rule, told):
    code, _, (line,) = check(("trvlseed", f"added_filter_rules: [{rule}]\ntrvlseed"))
    assert code == 1
    assert line.startswith(told)
    assert len(line) < 400


@pytest.mark.parametrize("order", ["LO", "NLO+", "NNLO", "NNLO-", "N3LO-", "NLO!", "N2LO"])
def test_orders_of_rules(check, order):
    rule = f"{{process_type: DIS_ALL, rule: x > 0, PTO: {order}}}"
    assert check(("trvlseed", f"added_filter_rules: [{rule}]\ntrvlseed"))[0] == 0


def test_the_options_of_a_scan(check):
    """More replicas make phi2 a loss; a t0 set that is there takes the place of one that is not."""
    assert check(SPREAD, options=("--replicas", 3))[0] == 0
    assert check(SPREAD, options=("--replicas", 1))[0] == 1
    wrong = ("HYPERPARTON_dis_t0", "NO_SUCH_SET")
    assert check(wrong)[0] == 1
    assert check(wrong, options=("--t0pdfset", "HYPERPARTON_dis_t0"))[0] == 0


def test_the_card_alone(check):
    absent = [("HYPERPARTON_dis_t0", "NO_SUCH_SET"), ("theoryid: 40_000_000", "theoryid: 12345"), ("3.49", "1000")]
    assert check(*absent)[0] == 1
    assert check(*absent, options=("--no-theory",))[0] == 0
    code, _, lines = check(*absent, ("variant: legacy_dw", "variant: legcy_dw"), options=("--no-theory",))
    assert (code, len(lines)) == (1, 4)
    assert check(options=("--no-theory", "--theory", "here"))[0] == 2


def test_charm_of_a_theory_that_is_not_here(check):
    """By the theory cards of nnpdf-data: theory 211 has perturbative charm."""
    theory = ("theoryid: 40_000_000", "theoryid: 211")
    code, _, (line,) = check(theory, options=("--no-theory",))
    assert code == 1
    assert line.startswith(
        "51:13: fitting.fitbasis: has a charm PDF of its own, and theory 211 is one with perturbativ"
    )
    assert line.endswith("given EVOL, accepted: NN31PC, FLAVOURPC, PDF4LHC20")
    fits = [("fitbasis: EVOL", "fitbasis: NN31PC"), (T15, ""), (", 8]", ", 7]")]
    assert check(theory, *fits, options=("--no-theory",))[0] == 0


def test_keys_that_change_nothing_are_named(check):
    """The example's `frac`: two cards that differ in it alone are the same fit."""
    code, out, _ = check()
    assert code == 0
    assert re.search(
        r"(?m)^6:\d+: dataset_inputs\[0\].frac: changes nothing: with diagonal_basis .* \(so in 4 data", out
    )
    assert re.search(r"(?m)^18:9: mcseed: changes nothing: without genrep", out)
    points = ("genrep: false", "diagonal_basis: false\ndiagonal_frac: 0.5\ngenrep: false")
    assert "].frac: changes nothing" not in check(points)[1]
    assert "diagonal_frac: changes nothing: without diagonal_basis" in check(points)[1]
    fold = ("  - datasets: [SLAC_NC_NOTFIXED_D_EM-F2, BCDMS_NC_NOTFIXED_P_EM-F2]", "  - datasets: []")
    assert "40:15: kfold.partitions[1].datasets: changes nothing: the fold hides no data" in check(fold)[1]
    told = check(("loss_type: chi2", "loss_type: chi2\n  verbosity: {training: true}"))[1]
    assert "36:14: kfold.verbosity: changes nothing: it is about n3fit's messages" in told
    older = [("fitbasis: EVOL", "fitbasis: EVOL\n  seed: 1\n  debug: true"), ("{fl: sng,", "{fl: sng, mutsize: [15],")]
    told = check(*older)[1]
    assert "52:3: fitting.seed: changes nothing: no fit depends on it" in told
    assert "53:3: fitting.debug: changes nothing: the seeds fix every fit here" in told
    assert "55:15: fitting.basis[0].mutsize: changes nothing: no fit depends on it" in told
    told = check(("genrep: false", "genrep: false\ndouble_precision: true\nload:\nunknown_to_all: 3"))[1]
    assert "not used by hyperparton: double_precision (fits are trained in single precision, and what is" in told
    assert told.strip().endswith("unknown_to_all")
    rule = ("trvlseed", "added_filter_rules: [{dataset: HERA_CC_318GEV_EM-SIGMARED, rule: foo > 0}]\ntrvlseed")
    assert "16:22: added_filter_rules[0]: changes nothing: no data set of this card" in check(rule)[1]


def test_equal_bounds_are_a_fixed_value(check):
    changes = [
        ("min_units: 5", "min_units: 20"),
        ("min_patience: 0.20", "min_patience: 0.8"),
        ("min: 1e-6, max", "min: 1e-3, max"),
    ]
    code, out, _ = check(*changes)
    assert code == 0
    assert "scanned: activation_per_layer, epochs, initializer, nodes_per_layer, optimizer\n" in out
    everything = [("min_epochs: 200", "min_epochs: 400"), *changes[1:2]]
    start, end = EXAMPLE.index("  optimizer:\n  - opt"), EXAMPLE.index("kfold:")
    code, _, (line,) = check(*everything, (EXAMPLE[start:end], ""))
    assert line == "21:3: hyperscan_config: holds single values only: there is nothing to scan"


def test_a_trainer_that_is_not_there(hyperparton, tmp_path):
    card = tmp_path / "card.yml"
    (tmp_path / "beside.py").write_text("def mak(card): ...\n")
    (tmp_path / "wrong.py").write_text("def make(card:\n")
    told = {
        "nowhere:make": "there is no module 'nowhere' beside the card or installed",
        "beside:make": "beside.py has no 'make' (did you mean 'mak'?)",
        "wrong:make": "wrong.py is no Python",
        "beside:mak": None,
    }
    for trainer, message in told.items():
        card.write_text(
            f"trainer: {trainer}\nparameters: {{a: 1}}\nhyperscan_config: {{space: {{a: {{min: 1, max: 2}}}}}}\n"
        )
        code, _, err = hyperparton("check", card)
        assert code == (0 if message is None else 1)
        assert message is None or (err.startswith(f"{card}:1:10: trainer: ") and message in err)


@pytest.mark.parametrize("given", ["nowhere", "/etc/passwd", "other"])
def test_earlier_scans_that_teach_nothing(check, hyperparton, tmp_path, given):
    """What `scan` refuses when it begins; one that was begun has kept their trials."""
    tries = tmp_path / "other" / "nnfit" / "replica_1" / "tries.json"
    tries.parent.mkdir(parents=True)
    tries.write_text("[]")
    told = {
        "nowhere": f"{tmp_path}/nowhere: holds no trials",
        "/etc/passwd": "/etc/passwd: not JSON",
        "other": f"no trial of the earlier scans lies in this space: {tries}: 0 of 0",
    }[given]
    place = given if given.startswith("/") else f"{tmp_path}/{given}"
    change = ("hyperscan_config:\n", f"hyperscan_config:\n  use_tries_from: {place}\n")
    code, _, (line,) = check(change)
    assert code == 1
    assert line.startswith(f"21:19: hyperscan_config.use_tries_from: {told}")
    assert check(change, options=("--no-theory",))[0] == 0
    (tmp_path / "own.py").write_text("def make(card): ...\n")
    card = tmp_path / "own.yml"
    config = f"{{use_tries_from: {place}, space: {{a: {{min: 1, max: 2}}}}}}"
    card.write_text(f"trainer: own:make\nparameters: {{a: 1}}\nhyperscan_config: {config}\n")
    code, _, err = hyperparton("check", card)
    assert code == 1
    assert err.startswith(f"{card}:3:36: hyperscan_config.use_tries_from: {told}")
