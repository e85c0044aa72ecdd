# ruff: noqa: E501 (one damage a line)
"""Runcards as a whole: NNPDF's values read as they are, and the faults of damaged ones with their places."""

import re

import pytest

from hyperparton.errors import RuncardError
from hyperparton.runcard.card import Runcard, TrainerRuncard
from hyperparton.runcard.check import parse_runcard
from hyperparton.runcard.dead_keys import dead_keys
from hyperparton.runcard.old_cards import older_words


def faults_of(text):
    with pytest.raises(RuncardError) as caught:
        parse_runcard(text)
    return [str(fault) for fault in caught.value.faults]


def changed(text, old, new):
    assert old in text
    return text.replace(old, new)


def test_a_card_of_a_scan(scan_text):
    card = parse_runcard(scan_text)
    assert isinstance(card, Runcard)
    assert len(card.dataset_inputs) == 19
    assert card.dataset_inputs[0].variant == ("legacy_dw",)
    assert card.dataset_inputs[8].cfac == ("MAS",)
    assert (card.datacuts.q2min, card.datacuts.w2min, card.datacuts.t0pdfset) == (3.49, 12.5, "HYPERPARTON_dis_t0")
    assert card.theoryid == 40_000_000
    assert (card.trvlseed, card.nnseed, card.mcseed) == (591866982, 945709987, 519562661)
    assert card.genrep is False
    assert card.diagonal_basis is True
    assert card.sum_rules == "All"
    assert card.fitting.fitbasis == "EVOL"
    assert card.fitting.basis[1].fl == "g"
    assert card.fitting.basis[1].smallx == (0.7795, 1.095)
    assert card.fitting.basis[1].trainable is False
    assert len(card.positivity) == 12
    assert card.positivity[0].maxlambda == 1e6
    assert [entry.dataset for entry in card.integrability] == ["NNPDF_INTEG_3GEV_XT8", "NNPDF_INTEG_3GEV_XT3"]
    assert len(card.added_filter_rules) == 3
    assert card.kfold.threshold == 20.0
    assert card.kfold.penalties == ("saturation", "patience", "integrability")
    assert len(card.kfold.partitions) == 4
    assert card.parameters.threshold_chi2 == 3.5
    assert card.parameters.positivity.multiplier is None
    assert card.hyperscan_config.stopping.min_epochs == 1000
    assert card.scan_parameters()["epochs"] == 2500
    assert card.unused == ("debug",)
    assert card.maxcores == 2


def test_defaults_are_those_of_nnpdf(fit_text):
    """What a card may leave out: frac 1, NNPDF's cuts, trainable exponents, a threshold of 50, 85 % of the replicas."""
    text = re.sub(r"  q2min: 3.49\n  w2min: 12.5\n", "", fit_text)
    text = text.replace(", trainable: false}", "}")
    text += "kfold:\n  partitions:\n  - datasets: [NMC_NC_NOTFIXED_EM-F2]\n  - datasets:\n    overfit: true\n    weight: 2\n"
    card = parse_runcard(text)
    assert card.dataset_inputs[0].frac == 1.0
    assert (card.datacuts.q2min, card.datacuts.w2min) == (3.49, 12.5)
    assert all(element.trainable for element in card.fitting.basis)
    assert (card.kfold.threshold, card.kfold.reduce_proportion) == (50.0, 0.85)
    assert card.kfold.partitions[1].datasets == ()
    assert card.kfold.partitions[1].overfit
    assert card.kfold.partitions[1].weight == 2


@pytest.mark.parametrize("key", ["target", "fold_statistic"])
def test_target_and_fold_statistic_are_synonyms(scan_text, key):
    text = changed(scan_text, "  fold_statistic: average\n", f"  {key}: best_worst\n")
    assert parse_runcard(text).kfold.fold_statistic == "best_worst"


@pytest.mark.parametrize(
    ("written", "read"),
    [("true", "All"), ("ALL", "All"), ("All", "All"), ("msr", "MSR"), ("VSR", "VSR"), ("false", None), ("", "All")],
)
def test_sum_rules_in_any_spelling(scan_text, written, read):
    assert parse_runcard(f"{scan_text}\nsum_rules: {written}\n").sum_rules == read


def test_a_card_is_frozen(scan_text):
    card = parse_runcard(scan_text)
    with pytest.raises(ValueError, match="frozen"):
        card.genrep = True


#: (what is replaced, by what, the fault that must be told); line and column counted in the changed card
DAMAGE = [
    ("genrep: false", "gen_rep: false", ":1: gen_rep: unknown key 'gen_rep' (did you mean 'genrep'?)"),
    ("  threshold: 20.0", "  treshold: 20.0", ":3: kfold.treshold: unknown key 'treshold' (did you mean 'threshold'?)"),
    ("  stopping_patience: 0.99", "  stopping_patiance: 0.99", "(did you mean 'stopping_patience'?), accepted: nodes_per"),
    ("  stopping_patience: 0.99", "  stopping_patiance: 0.99", "parameters.stopping_patience: 'stopping_patience' is miss"),
    ("min_epochs: 1e3", "min_epoch: 1e3", "hyperscan_config.stopping.min_epoch: unknown key 'min_epoch' (did you mean"),
    ("  architecture:", "  arquitecture:", "hyperscan_config.arquitecture: unknown key 'arquitecture' (did you mean"),
    ("epochs: 2500", "epochs: many", "parameters.epochs: must be a number, given 'many'"),
    ("epochs: 2500", "epochs: 0", "parameters.epochs: is out of range, given 0, accepted: a whole number of at least 1, below 2^31"),
    ("epochs: 2500", "epochs: 1.5", "parameters.epochs: must be a whole number, given 1.5"),
    ("epochs: 2500", "epochs: .nan", "parameters.epochs: must be a finite number"),
    ("epochs: 2500", "epochs: true", "parameters.epochs: must be a number, given true"),
    ("optimizer_name: Adam\n", "optimizer_name: Adamm\n", "optimizer_name: unknown optimizer (did you mean 'Adam'?)"),
    ("initializer: 'glorot_normal'", "initializer: glorot", "parameters.initializer: unknown initializer"),
    ("activations: [tanh, sigmoid]", "activations: [tanh, sigmoyd]", "activations[1]: unknown activation (did you mean 'sig"),
    ("layer_type: dense", "layer_type: dens", "unknown layer type (did you mean 'dense'?), given 'dens'"),
    ("fitbasis: EVOL", "fitbasis: EVOLQED", "fitting.fitbasis: unknown fitbasis (did you mean 'EVOL'?)"),
    ("fitbasis: EVOL", "fitbasis: CCBAR_ASYM", "fitting.fitbasis: unknown fitbasis (did you mean 'CCBAR_ASYMM'?)"),
    ("{fl: t15,", "{fl: cp,", "unknown: cp, given sng, g, v, v3, v8, t3, t8, cp, accepted: sng"),
    ("{fl: t15,", "{fl: t8,", "basis does not list elements of fitbasis EVOL, each once, given sng, g, v, v3, v8, t3, t8, t8"),
    ("smallx: [1.091, 1.119]", "smallx: [1.2, 1.119]", "fitting.basis[0].smallx: must be a range, given [1.2, 1.119]"),
    ("nodes_per_layer: [25, 20, 8]", "nodes_per_layer: [25, 20, 7]", "the last layer has the wrong size, given 7"),
    ("nodes_per_layer: [25, 20, 8]", "nodes_per_layer: [25, 8]", "must have the same length, given 2 and 3 layers"),
    ("penalties: [saturation", "penalties: [satiation", "kfold.penalties[0]: unknown penalty (did you mean 'saturation'?)"),
    ("loss_type: chi2", "loss_type: chi", "kfold.loss_type: unknown loss_type (did you mean 'chi2'?)"),
    ("fold_statistic: average", "fold_statistic: median", "kfold.fold_statistic: unknown statistic, given 'median', acc"),
    ("NMC_NC_NOTFIXED_P_EM-SIGMARED, NUTEV", "NMC_NC_NOTFIXED_P_SIGMARED, NUTEV", "hides a data set that is not fitted"),
    ("theoryid: 40_000_000", "theoryid: forty", "theory.theoryid: must be the number of a theory, given 'forty'"),
    ("trvlseed: 591866982", "trvlseed: -1", "trvlseed: is out of range, given -1"),
    ("sampling: log, min: 1e-4, max: 1e-2", "sampling: logg, min: 1e-4, max: 1e-2", "unknown sampling (did you mean 'log'?)"),
    ("sampling: log, min: 1e-4, max: 1e-2", "sampling: log, min: 1e-1, max: 1e-2", "the lower bound is above the upper"),
    ("sampling: log, min: 1e-4, max: 1e-2", "sampling: log, min: 0, max: 1e-2", "a logarithmic range needs min above 0"),
    ("sampling: log, min: 1e-4, max: 1e-2", "sampling: log, min: 1e-4", "learning_rate.max: 'max' is missing"),
    ("min_epochs: 1e3, max_epochs: 2e3", "max_epochs: 2e3", "max_epochs is given without min_epochs"),
    ("min_initial: 1, max_initial: 1000", "min_initial: 1", "min_initial is given without max_initial"),
    ("    max_units: 45\n", "", "n_layers needs both min_units and max_units, given n_layers, min_units, acc"),
    ("    max_drop: 0.15\n", "    max_drop: 1.5\n", "architecture.max_drop: is out of range, given 1.5"),
    ("  dropout: 0.0\n", "", "architecture.max_drop: scans 'dropout', which `parameters` does not declare"),
    ("genrep: false", "genrep: maybe", "genrep: must be true or false, given 'maybe'"),
    ("positivity:\n  posdatasets:", "positivity:\n  posdataset:", "positivity: must hold the list posdatasets"),
    ("{dataset: NNPDF_POS_2P24GEV_F2U, maxlambda: 1e6}", "{dataset: NNPDF_POS_2P24GEV_F2U}", "'maxlambda' is missing"),
    ("dataset: NNPDF_POS_2P24GEV_F2D,", "dataset: NNPDF_POS_2P24GEV_F2U,", "names the data set NNPDF_POS_2P24GEV_F2U a second"),
    ("genrep: false", "genrep: false\nsum_rules: TSR", "sum_rules: unknown sum_rules, given 'TSR', accepted: All, "),
    ("genrep: false", "genrep: false\nfiatlux: {luxset: x}", "fiatlux: fits with a photon PDF are not supported"),
    ("genrep: false", "genrep: false\nclosuretest: {fakedata: true}", "closuretest.fakedata: closure tests are not"),
    ("  q2min: 3.49", "  q2mn: 3.49", "datacuts.q2mn: unknown key 'q2mn' (did you mean 'q2min'?)"),
    ("trainable: false", "trainabel: false", "fitting.basis[0].trainabel: unknown key 'trainabel' (did you mean 'trainable'?)"),
    ('  rule: "x > 5.0e-7"', "  rul: x > 5.0e-7", "added_filter_rules[0].rul: unknown key 'rul' (did you mean 'rule'?), accepted: rule"),
    ("- dataset: NNPDF_POS_2P24GEV_FLL-19PTS\n  rule", "- rule", "added_filter_rules[0]: a rule needs a dataset or a process_type to cut"),
    ("- process_type: POS_XPDF", "- process_type: POS_XPDF\n  IC: 2", "added_filter_rules[2].IC: unknown treatment of charm, given 2"),
    ("  fold_statistic: average\n", "  fold_statistic: average\n  target: std\n", "target and fold_statistic are two names"),
    ("  q2min: 3.49", "  use_cuts: nocut", "datacuts.use_cuts: unknown use_cuts, given 'nocut', accepted: internal, nocuts, fromfit, fromint"),
    ("  q2min: 3.49", "  use_cuts: fromfit", "datacuts.use_cuts: fromfit needs the folder of a fit, accepted: datacuts: fit"),
    ("  q2min: 3.49", "  use_cuts: true", "datacuts.use_cuts: fromfit needs the folder of a fit"),
    ("  q2min: 3.49", "  use_cuts: fromintersection", "datacuts.use_cuts: fromintersection needs cuts_intersection_spec, accepted: such"),
    ("  q2min: 3.49", "  cuts_intersection_spec: []", "datacuts.cuts_intersection_spec: must be a list with at least one entry"),
    ("  q2min: 3.49", "  cuts_intersection_spec: [{theory: 1}]", "cuts_intersection_spec[0].theory: unknown key 'theory'"),
    ("  q2min: 3.49", "  cuts_intersection_spec: [{theoryid: x}]", "cuts_intersection_spec[0].theoryid: must be the number of a th"),
    (
        "  q2min: 3.49",
        "  use_cuts: fromsimilarpredictions\n  cuts_intersection_spec: [{theoryid: 1}]",
        "datacuts.cuts_intersection_spec: fromsimilarpredictions compares two predictions, given 1 entries, accepted: two entries",
    ),
    (
        "  q2min: 3.49",
        "  use_cuts: fromsimilarpredictions\n  cuts_intersection_spec: [{theoryid: 1}, {pdf: x}]\n  do_not_require_similarity_for: [SLAC]",
        "fromsimilarpredictions needs cut_similarity_threshold",
    ),
    (
        "  q2min: 3.49",
        "  use_cuts: fromsimilarpredictions\n  cuts_intersection_spec: [{theoryid: 1}, {pdf: x}]\n  do_not_require_similarity_for: [SLAC]",
        "cuts_intersection_spec[0]: fromsimilarpredictions needs a PDF set in each entry, accepted: pdf: NAME",
    ),
    (
        "  q2min: 3.49",
        "  use_cuts: fromsimilarpredictions\n  cuts_intersection_spec: [{theoryid: 1}, {pdf: x}]\n  do_not_require_similarity_for: [SLAC]",
        "do_not_require_similarity_for[0]: names a data set that is not fitted, given SLAC",
    ),
    ("genrep: false", "genrep: false\nfilter_rules: [{rule: x > 1}]", "filter_rules[0]: a rule needs a dataset or a process_type to cut"),
    ("genrep: false", "genrep: false\ndrop_internal_rules: 3", "drop_internal_rules: must be a list"),
    ("genrep: false", "genrep: false\nfilter_defaults: {q2: 3}", "filter_defaults.q2: unknown key 'q2' (did you mean 'q2min'?)"),
    ("genrep: false", "genrep: false\nfilter_defaults: {q2min: -3}", "filter_defaults.q2min: is out of range, given -3"),
    ("genrep: false", "genrep: false\nfilter_defaults: {q2min: 4}", "filter_defaults.q2min: q2min is given a second time, given 4, accepted: 3.49"),
    ("{dataset: NMC_NC_NOTFIXED_EM-F2,", "{dataset: NMC_NC_NOTFIXED_EM-F2, sys: 10,", "sys chooses a variant, so there cannot be another one, given sys: 10, var"),
    ("{dataset: NMC_NC_NOTFIXED_EM-F2, variant: legacy_dw", "{dataset: NMCPD, sys: [1]", "dataset_inputs[0].sys: must be the number of systematics"),
    ("{dataset: NNPDF_POS_2P24GEV_F2U, maxlambda: 1e6}", "{dataset: NNPDF_POS_2P24GEV_F2U, poslambda: 0}", "[0].poslambda: is out of range, given 0"),
    ("{dataset: NNPDF_POS_2P24GEV_F2U, maxlambda: 1e6}", "{dataset: NNPDF_POS_2P24GEV_F2U, poslambda: 1, maxlambda: 2}", "two names of the same thing, given 1 and 2"),
    ("dataset_inputs:\n", "experiments: 3\ndata:\n", "experiments: must be a list, given 3, accepted: a list of {experiment: NAME, datasets: [...]}"),
    ("dataset_inputs:\n", "experiments: [{experiment: x}]\ndata:\n", "experiments[0]: names an experiment and its data sets, given {experiment: 'x'}"),
    ("  t0pdfset:", "  t0pdfst:", "datacuts.t0pdfst: unknown key 't0pdfst' (did you mean 't0pdfset'?)"),
    ("  theoryid: 40_000_000", "  theoryid: 40_000_000\n  t0theoryd: 1", "theory.t0theoryd: unknown key 't0theoryd' (did you mean 't0theoryid'?)"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  fitbasi: EVOL", "fitting.fitbasi: unknown key 'fitbasi' (did you mean 'fitbasis'?)"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  sum_rules: MRS", "fitting.sum_rules: unknown sum_rules, given 'MRS', accepted: All"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  q2min: -1", "fitting.q2min: is out of range, given -1"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  genrep: true", "fitting.genrep: 'genrep' is a key of the top level"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  kfold: {}", "fitting.kfold: 'kfold' is a key of the top level"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  experiments: []", "fitting.experiments: 'experiments' is a key of the top level"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  threshold: -1", "fitting.threshold: is out of range, given -1, accepted: a number of at least 0"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  filter_rules: [{rule: x > 1}]", "fitting.filter_rules[0]: a rule needs a dataset or a process_type"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  use_cuts: fromfit", "fitting.use_cuts: fromfit needs the folder of a fit, accepted: datacuts: fit"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  user_covmat_path: x", "fitting.user_covmat_path: it is a key of `theorycovmatconfig`, given 'x'"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  point_prescriptions: [x]", "fitting.point_prescriptions: uncertainties from the predictions of sev"),
    (
        "genrep: false",
        "genrep: false\ntheorycovmatconfig: {user_covmat_path: x}\nuse_thcovmat_in_fitting: false",
        "use_thcovmat_in_fitting: it is a key of `theorycovmatconfig`, given false",
    ),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: {point_prescriptions: [3 point], pdf: x}", "theorycovmatconfig.point_prescriptions: uncer"),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: {point_prescription: 3 point}", "theorycovmatconfig.point_prescription: uncertainti"),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: {user_covmat: x}", "theorycovmatconfig.user_covmat: unknown key 'user_covmat' (did you"),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: {user_covmat_path: x, mult_factor: -1}", "theorycovmatconfig.mult_factor: is out of"),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: {user_covmat_path: x, use_thcovmat_in_fitting: 1}", "use_thcovmat_in_fitting: must be true"),
    ("genrep: false", "genrep: false\ntheorycovmatconfig: [x]", "theorycovmatconfig: must be keys with values"),
    ("genrep: false", "genrep: false\nuse_thcovmat_in_fitting: true", "use_thcovmat_in_fitting: it is a key of `theorycovmatconfig`, given true"),
    ("  fitbasis: EVOL", "  fitbasis: EVOL\n  epochs: 3", "fitting.epochs: 'epochs' is a key of `parameters`"),
    ("genrep: false", "genrep: false\nt0pdfst: x", "t0pdfst: unknown key 't0pdfst' (did you mean 't0pdfset'?)"),
    ("genrep: false", "genrep: false\nclosuretest: {fakdata: true}", "closuretest.fakdata: unknown key 'fakdata' (did you mean 'fakedata'?)"),
    ("  theoryid: 40_000_000", "  theoryid: 40_000_000\n  t0theoryid: two", "theory.t0theoryid: must be the number of a theory, given 'two', acc"),
    ("genrep: false", "genrep: false\nt0theoryid: two", "t0theoryid: must be the number of a theory, given 'two', accepted"),
    ("genrep: false", "genrep: true\nuse_t0_sampling: maybe", "use_t0_sampling: must be true or false, given 'maybe'"),
    ("genrep: false", "genrep: true\nseparate_multiplicative: 1", "separate_multiplicative: must be true or false, given 1"),
    ("genrep: false", "genrep: true\nresample_negative_pseudodata: 0.0", "resample_negative_pseudodata: must be true or false, given 0.0"),
    ("genrep: false", "genrep: true\nuse_weights_in_covmat: no", "use_weights_in_covmat: must be true or false, given 'no'"),
    ("genrep: false", "genrep: true\nnorm_threshold: 0", "norm_threshold: is out of range, given 0, accepted: a number above 0"),
    ("genrep: false", "genrep: true\nthreshold: -1", "threshold: is out of range, given -1, accepted: a number of at least 0"),
    ("genrep: false", "genrep: true\nmetadata_group: experimen", "metadata_group: unknown metadata_group (did you mean 'experiment'?), given"),
    ("genrep: false", "genrep: true\ndata_grouping: experiment", "data_grouping: unknown data_grouping, given 'experiment', accepted: sta"),
    ("{dataset: NMC_NC_NOTFIXED_EM-F2,", "{dataset: NMC_NC_NOTFIXED_EM-F2, weight: 0,", "dataset_inputs[0].weight: is out of range, given 0, acc"),
    ("{dataset: NMC_NC_NOTFIXED_EM-F2,", "{dataset: NMC_NC_NOTFIXED_EM-F2, custom_group: [1],", "dataset_inputs[0].custom_group: must be text"),
    ("positivity: {initial: 184.8, multiplier: }", "positivity: {multiplier: -1.1}", "positivity.multiplier: is out of range, given -1.1"),
    ("n_layers: [", "n_layers: [2000000000, ", "n_layers[0]: is out of range, given 2000000000, accepted: a whole number of layers fro"),
    ("optimizer_name: Nadam\n    learning_rate", "optimizer_name: Adamax\n    learning_rate", "Adamax has no 'learning_rate'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), DAMAGE)
def test_damage(scan_text, old, new, told):
    faults = faults_of(changed(scan_text, old, new))
    assert any(told in fault for fault in faults), faults
    assert all(re.match(r"\d+:\d+: ", fault) for fault in faults), faults


#: keys of NNPDF's programs that change no fit of this card, wherever they stand
HARMLESS = [
    "description: x\nparallel_models: false\nsave: weights.h5\ntensorboard: {weight_freq: 1}",
    "double_precision: true\nuse_t0_sampling: false\nseparate_multiplicative: true\nuse_weights_in_covmat: true",
    "use_cuts: internal\nuse_t0: true\nthreshold: 0\nmetadata_group: ALL\nload: false\nload_weights_from_fit:",
    "closuretest: {fakedata: false, fakepdf: x, fakenoise: true, filterseed: 1}\npdfs: [a]\nactions_: [report]",
    "theorycovmatconfig: {}\nq2min: 5\ninconsistent_data_settings: {}",
]


@pytest.mark.parametrize("keys", HARMLESS)
def test_keys_of_other_programs_that_change_nothing(scan_text, keys):
    card = parse_runcard(scan_text.replace("description:", "_description:", 1) + "\n" + keys + "\n")
    assert "debug" in card.unused


def test_older_cards_say_more_of_each_element(scan_text):
    text = changed(scan_text, "{fl: sng,", "{fl: sng, pos: false, mutsize: [15], mutprob: [0.05],")
    text = changed(text, "  fitbasis: EVOL", "  seed: 1\n  rnalgo: 0\n  fitmethod: NGA\n  fitbasis: EVOL")
    assert parse_runcard(text).fitting.basis[0].fl == "sng"


def test_a_faulty_section_hides_nothing_of_the_others(scan_text):
    text = changed(scan_text, "  threshold: 20.0", "  treshold: 20.0")
    text = changed(text, "nodes_per_layer: [25, 20, 8]", "nodes_per_layer: [25, 20, 7]")
    text = changed(text, "dataset: NNPDF_POS_2P24GEV_F2D,", "dataset: NNPDF_POS_2P24GEV_F2U,")
    paths = [fault.split(": ")[1] for fault in faults_of(text)]
    assert sorted(paths) == ["kfold.treshold", "parameters.nodes_per_layer", "positivity[1]"]


def test_places_of_faults(scan_text):
    """Line and column as an editor counts them."""
    text = changed(scan_text, "  threshold: 20.0", "  threshold: zero")
    line = text.splitlines().index("  threshold: zero") + 1
    assert faults_of(text) == [f"{line}:14: kfold.threshold: must be a number, given 'zero'"]


def test_all_faults_at_once(scan_text):
    text = scan_text
    for old, new in (("epochs: 2500", "epochs: x"), ("genrep: false", "genrep: 3"), ("fitbasis: EVOL", "fitbasis: E")):
        text = changed(text, old, new)
    text = changed(text, "trvlseed: 591866982\n", "trvlseed: 1\ntrvlseed: 2\n")
    faults = faults_of(text)
    assert len(faults) == 4
    numbers = [tuple(map(int, fault.split(":")[:2])) for fault in faults]
    assert numbers == sorted(numbers)


def test_a_card_with_its_own_trainer():
    text = (
        "trainer: module:factory\nparameters: {a: 1, b: x}\nhyperscan_config: {space: {a: {min: 1, max: 2}}}\nmore: 3\n"
    )
    card = parse_runcard(text)
    assert isinstance(card, TrainerRuncard)
    assert card.scan_parameters() == {"a": 1, "b": "x"}
    assert card.raw["more"] == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trainer: module\nparameters: {a: 1}\nhyperscan_config: {space: {a: {min: 1, max: 2}}}\n", "module:factory"),
        ("trainer: m:f\nparameters: {a: 1}\nhyperscan_config: {space: {b: {min: 1, max: 2}}}\n", "scans 'b', which"),
        ("trainer: m:f\nparameters: {a: 1}\nhyperscan_config: {space: {a: {min: 1}}}\n", "needs both min and max"),
        (
            "trainer: m:f\nparameters: {a: 1}\nhyperscan_config: {space: {a: {choice: []}}}\n",
            "must be a list with at least one entry",
        ),
        ("trainer: m:f\nparameters: {a: 1}\n", "needs hyperscan_config"),
        ("trainer: m:f\nhyperscan_config: {space: {a: {min: 1, max: 2}}}\n", "'parameters' is missing"),
        ("trainer: m:f\nparameters: {a: 1}\nhyperscan_config: {}\n", "there is nothing to scan"),
    ],
)
def test_damaged_cards_with_a_trainer(text, told):
    assert any(told in fault for fault in faults_of(text))


def test_groups_that_keys_ask_for(scan_text):
    """metadata_group goes before data_grouping, that before what n3fit does without both."""

    def grouping(keys):
        return parse_runcard(changed(scan_text, "genrep: false", f"genrep: false\n{keys}")).grouping

    assert grouping("") == "ALL"
    assert grouping("diagonal_basis: false") == "experiment"
    assert grouping("data_grouping: standard_report") == "experiment"
    assert grouping("diagonal_basis: false\ndata_grouping: thcovmat_fit") == "ALL"
    assert grouping("data_grouping: thcovmat_fit\nmetadata_group: custom_group") == "custom_group"


#: (keys, what is said of each that changes nothing)
DEAD = [
    ("use_t0_sampling: false", ["use_t0_sampling: changes nothing: without genrep no data replicas are drawn"]),
    ("genrep: true\nuse_t0_sampling: false", []),
    ("genrep: true\nseparate_multiplicative: true\nuse_t0_sampling: false", ["with separate_multiplicative data replicas are"]),
    ("use_weights_in_covmat: false", ["use_weights_in_covmat: changes nothing: no data set has another weight than 1"]),
    ("diagonal_basis: false\nthreshold: 1e-3", ["threshold: changes nothing: without diagonal_basis there are no eigen"]),
    ("metadata_group: ALL\ndata_grouping: thcovmat_fit", ["data_grouping: changes nothing: metadata_group is what counts"]),
    ("theorycovmatconfig: {mult_factor: 2}", ["theorycovmatconfig: changes nothing: it names no matrix"]),
    (
        "theorycovmatconfig: {point_prescriptions: [9 point], use_thcovmat_in_fitting: false, use_thcovmat_in_sampling: false}",
        ["theorycovmatconfig: changes nothing: use_thcovmat_in_fitting and use_thcovmat_in_sampling are false"],
    ),
    (
        "theorycovmatconfig: {user_covmat_path: x, use_thcovmat_in_sampling: true}",
        ["theorycovmatconfig.use_thcovmat_in_sampling: changes nothing: without genrep"],
    ),
    ("theorycovmatconfig: {user_covmat_path: x, pdf: y}", ["theorycovmatconfig.pdf: changes nothing: there are no point_pre"]),
    ("genrep: true\ntheorycovmatconfig: {user_covmat_path: x, use_thcovmat_in_sampling: true}", []),
    ("theory: {theoryid: 4, t0theoryid: 4}", ["theory.t0theoryid: changes nothing: it is theoryid"]),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "told"), DEAD)
def test_keys_that_change_nothing_because_of_others(scan_text, keys, told):
    text = changed(scan_text, "genrep: false\n", "")
    text = changed(text, "mcseed: 519562661\n", "")
    if keys.startswith("theory:"):
        text = changed(text, "theory:\n  theoryid: 40_000_000\n", "")
    given = f"mcseed: 1\n{keys}" if "genrep: true" in keys else keys
    said = [str(fault) for fault in dead_keys(parse_runcard(f"{text}\n{given}\n"))]
    for part in told:
        assert any(part in line for line in said), said
    key = keys.splitlines()[-1].partition(":")[0]
    assert bool(told) == any(re.search(rf"\b{key}(\.\w+)?: changes nothing", line) for line in said), said


def test_weights_that_do_not_count(scan_text):
    text = changed(scan_text, "{dataset: NMC_NC_NOTFIXED_EM-F2,", "{dataset: NMC_NC_NOTFIXED_EM-F2, weight: 2,")
    said = [str(fault) for fault in dead_keys(parse_runcard(f"{text}\nuse_weights_in_covmat: false\n"))]
    assert any("dataset_inputs[0].weight: changes nothing: use_weights_in_covmat is false" in line for line in said)
    assert not any("use_weights_in_covmat: changes nothing" in line for line in said)


def test_the_data_sets_of_experiments(scan_text):
    """Older cards list them by experiment; faults keep the places of the file."""
    sets = scan_text[scan_text.index("- {dataset: NMC_NC") : scan_text.index("datacuts:")]
    lines = [f"  {line}" for line in sets.splitlines()]
    parts = ["experiments:", "- experiment: A", "  datasets:", *lines[:3], "- experiment: B", "  datasets:", *lines[3:]]
    text = changed(scan_text, f"dataset_inputs:\n{sets}", "\n".join(parts) + "\n")
    card, plain = parse_runcard(text), parse_runcard(scan_text)
    assert card.dataset_inputs == plain.dataset_inputs
    assert card.unused == plain.unused
    told = older_words(card)
    assert [fault.path for fault in told] == ["experiments"]
    assert "the data sets are read, their grouping is not used" in str(*told)
    assert older_words(plain) == []
    damaged = changed(text, lines[4], lines[4].replace("{dataset", "{frac: 2, dataset"))
    line = damaged.splitlines().index(lines[4].replace("{dataset", "{frac: 2, dataset")) + 1
    assert faults_of(damaged)[0].startswith(f"{line}:12: experiments[1].datasets[1].frac: is out of range, given 2")
    both = parse_runcard(f"{scan_text}\nexperiments: [{{experiment: A, datasets: []}}]\n")
    assert "experiments: changes nothing: dataset_inputs is what counts" in " ".join(map(str, dead_keys(both)))


def test_older_names_of_keys(scan_text):
    text = scan_text.replace("F2U, maxlambda", "F2U, poslambda").replace("F2D, maxlambda", "F2D, poslambda")
    card = parse_runcard(text)
    assert [entry.maxlambda for entry in card.positivity] == [e.maxlambda for e in parse_runcard(scan_text).positivity]
    (told,) = older_words(card)
    assert (told.path, told.message) == (
        "positivity.posdatasets[0].poslambda",
        "an older name of maxlambda (so in 2 sets)",
    )


def test_limits_of_cuts(scan_text):
    """filter_defaults go before datacuts, an entry of cuts_intersection_spec before both."""
    text = changed(
        scan_text,
        "  q2min: 3.49\n  w2min: 12.5\n",
        "  w2min: 20\n  cuts_intersection_spec: [{q2min: 7}, {theoryid: 1}]\n",
    )
    card = parse_runcard(f"{text}\nfilter_defaults: {{maxTau: 0.05}}\n")
    assert card.cut_limits() == (3.49, 20, 0.05)
    assert [card.cut_limits(entry) for entry in card.datacuts.cuts_intersection_spec] == [
        (7, 20, 0.05),
        (3.49, 20, 0.05),
    ]
    own = parse_runcard(changed(text, "[{q2min: 7}", "[{filter_defaults: {w2min: 20, maxTau: 0.1}}"))
    assert own.cut_limits(own.datacuts.cuts_intersection_spec[0]) == (3.49, 20, 0.1)
    twice = changed(text, "[{q2min: 7}", "[{filter_defaults: {w2min: 21}}")
    assert "cuts_intersection_spec[0].filter_defaults.w2min: w2min is given a second time" in faults_of(twice)[0]


#: (keys of datacuts, keys of the top level, what is said of what changes nothing)
DEAD_CUTS = [
    ("fit: x", "", ["datacuts.fit: changes nothing: it is for use_cuts: fromfit, which is internal"]),
    (
        "cuts_intersection_spec: [{theoryid: 1}]",
        "",
        ["it is for use_cuts: fromintersection and fromsimilarpredictions"],
    ),
    (
        "use_cuts: fromintersection\n  cuts_intersection_spec: [{theoryid: 1, pdf: x}]\n  cut_similarity_threshold: 1",
        "",
        ["cuts_intersection_spec[0].pdf: changes nothing", "datacuts.cut_similarity_threshold: changes nothing"],
    ),
    (
        "use_cuts: false\n  w2min: 3",
        "drop_internal_rules: [SLAC_NC_NOTFIXED_P_EM-F2]",
        [
            "datacuts.w2min: changes nothing: with use_cuts: nocuts",
            "added_filter_rules: changes noth",
            "drop_internal_rules: ch",
        ],
    ),
    ("q2min: 3", "filter_rules: []", ["filter_rules: changes nothing: it has no rule, so NNPDF's own stay"]),
]


@pytest.mark.parametrize(("cuts", "keys", "told"), DEAD_CUTS)
def test_keys_of_cuts_that_change_nothing(scan_text, cuts, keys, told):
    text = changed(scan_text, "  q2min: 3.49\n  w2min: 12.5\n", f"  {cuts}\n")
    said = [str(fault) for fault in dead_keys(parse_runcard(f"{text}\n{keys}\n"))]
    for part in told:
        assert any(part in line for line in said), (part, said)
