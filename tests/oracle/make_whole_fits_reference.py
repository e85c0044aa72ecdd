"""Makes ``data/whole_fits_reference.npz``: short fits of n3fit on real data, followed epoch by epoch.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_whole_fits_reference.py [FILE [CASE ...]]

With cases, those of FILE are replaced, and the others stay.

n3fit runs as its commands run it; what is added is a look at its models at some epochs: the start weights, the chi2
of the training, validation and experimental models, the PDFs at the end.  Case `fit` is a fit of two replicas in
the diagonal basis, case `exponents` one whose preprocessing exponents are trained too, case `folds` a trial with
two folds, in the basis of the data and with data replicas.  `but_charm`, `quarks` and `scaled` are as NNPDF's
regression cards: V15 free with and without the number of charm fixed, charm and anticharm as elements, feature scaling.
(n3fit clips the gradient of an exponent for all replicas together, so `exponents` has but one.)
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
SETS = (
    ("NMC_NC_NOTFIXED_EM-F2", "legacy_dw"),
    ("SLAC_NC_NOTFIXED_P_EM-F2", "legacy_dw"),
    ("HERA_CC_318GEV_EM-SIGMARED", "legacy"),
    ("HERA_NC_318GEV_EAVG_CHARM-SIGMARED", "legacy"),
    ("HERA_NC_318GEV_EAVG_BOTTOM-SIGMARED", "legacy"),
)
#: numbers of updates after which the models are looked at, up to the epochs of the case
MOMENTS = (0, 1, 10, 100, 200)
X = np.concatenate([np.logspace(-6, -1, 16), np.linspace(0.15, 0.95, 9)])
#: fixed multipliers: they do not depend on the number of epochs, and n3fit resets both kinds to that of positivity
LAGRANGE = {"initial": 50.0, "multiplier": 1.1}
#: basis -> its elements and the biases of the last layer at the start: a PDF of sensible size, far from the poles that
#: ratios and sum rules have
ELEMENTS = {
    "EVOL": {"sng": 1.0, "g": 1.0, "v": 1.0, "v3": 1.0, "v8": 1.0, "t3": 0.3, "t8": 0.8, "t15": 0.6},
    "NN31IC": {"sng": 1.0, "g": 1.0, "v": 1.0, "v3": 1.0, "v8": 1.0, "t3": 0.3, "t8": 0.8, "cp": 0.1},
    "FLAVOUR": {"u": 2.0, "ubar": 0.5, "d": 1.2, "dbar": 0.6, "s": 0.5, "sbar": 0.3, "c": 0.1, "g": 1.0},
}
ELEMENTS["CCBAR_ASYMM"] = {**ELEMENTS["EVOL"], "v15": 1.0}
ELEMENTS["CCBAR_ASYMM_FLAVOUR"] = {**ELEMENTS["FLAVOUR"], "cbar": 0.08}
_REGRESSION = {
    "replicas": 1,
    "epochs": 100,
    "diagonal_basis": True,
    "genrep": True,
    "frac": 1.0,
    "trainable": False,
    "activation_per_layer": ["sigmoid", "tanh", "linear"],
    "optimizer": {"optimizer_name": "RMSprop", "learning_rate": 1e-3, "clipnorm": 1.0},
    "folds": None,
}
CASES = {
    "fit": {
        "fitbasis": "EVOL",
        "replicas": 2,
        "epochs": 200,
        "diagonal_basis": True,
        "genrep": False,
        "frac": 1.0,
        "trainable": False,
        "nodes_per_layer": [15, 10, 8],
        "activation_per_layer": ["tanh", "tanh", "linear"],
        "optimizer": {"optimizer_name": "Nadam", "learning_rate": 2.621e-3, "clipnorm": 6.073e-6},
        "folds": None,
    },
    "exponents": {
        "fitbasis": "FLAVOUR",
        "replicas": 1,
        "epochs": 200,
        "diagonal_basis": True,
        "genrep": False,
        "frac": 1.0,
        "trainable": True,
        "nodes_per_layer": [12, 8],
        "activation_per_layer": ["sigmoid", "linear"],
        "optimizer": {"optimizer_name": "Adam", "learning_rate": 2e-3, "clipnorm": 1e-4},
        "folds": None,
    },
    "folds": {
        "fitbasis": "NN31IC",
        "replicas": 2,
        "epochs": 100,  # later, rounding errors of 1e-7 have grown to per cents in the second fold
        "diagonal_basis": False,
        "genrep": True,
        "frac": 0.7,
        "trainable": False,
        "nodes_per_layer": [12, 8],
        "activation_per_layer": ["sigmoid", "linear"],
        "optimizer": {"optimizer_name": "Adam", "learning_rate": 2e-3, "clipnorm": 1e-4},
        "folds": [[SETS[0][0]], [SETS[1][0], SETS[2][0]]],
    },
    "but_charm": {
        **_REGRESSION,
        "fitbasis": "CCBAR_ASYMM",
        "sum_rules": "ALLBUTCSR",
        "nodes_per_layer": [15, 10, 9],
    },
    "quarks": {
        **_REGRESSION,
        "fitbasis": "CCBAR_ASYMM_FLAVOUR",
        "nodes_per_layer": [15, 10, 9],
    },
    "scaled": {
        **_REGRESSION,
        "fitbasis": "EVOL",
        "sum_rules": "VSR",
        "feature_scaling_points": 5,
        "nodes_per_layer": [15, 10, 8],
    },
}


class Cases(NamedTuple):
    """Cases of a script, and where its numbers go."""

    target: Path
    cases: Mapping[str, Mapping[str, Any]]
    """case -> `fitbasis`, `replicas`, `folds`, and what else its script asks for"""
    card: Callable[[str], dict]
    parameters: Callable[[str], dict]


def parameters(case: str) -> dict:
    """The runcard's parameters."""
    names = ("nodes_per_layer", "activation_per_layer", "optimizer", "epochs")
    points = CASES[case].get("feature_scaling_points")
    return {
        **{name: CASES[case][name] for name in names},
        **({"feature_scaling_points": points} if points else {}),
        "initializer": "glorot_normal",
        "positivity": dict(LAGRANGE),
        "integrability": dict(LAGRANGE),
        "stopping_patience": 0.9,
        "layer_type": "dense",
        "dropout": 0.0,
        "threshold_chi2": 1e-9,  # no epoch is the best: what is kept are the last weights
    }


def card(case: str) -> dict:
    """A runcard for n3fit, with the seeds, positivity and integrability sets of ``tests/data/dis_fit.yml``."""
    from ruamel.yaml import YAML

    wanted, base = CASES[case], YAML(typ="safe").load(ROOT / "tests/data/dis_fit.yml")
    elements = elements_of(wanted["fitbasis"], base["fitting"]["basis"], "feature_scaling_points" in wanted)
    for element in elements:
        element["trainable"] = wanted["trainable"]
    changes = {
        "dataset_inputs": [{"dataset": d, "variant": v, "frac": wanted["frac"]} for d, v in SETS],
        "diagonal_basis": wanted["diagonal_basis"],
        "genrep": wanted["genrep"],
        "parameters": parameters(case),
        "fitting": {"fitbasis": wanted["fitbasis"], "savepseudodata": False, "basis": elements},
        "parallel_models": True,
        "sum_rules": wanted.get("sum_rules", "All"),
    }
    if wanted["folds"]:
        changes["kfold"] = {
            "loss_type": "chi2",
            "penalties": ["saturation", "patience", "integrability"],
            "threshold": 1e9,
            "partitions": [{"datasets": names} for names in wanted["folds"]],
        }
        changes["hyperscan_config"] = {"stopping": {"min_epochs": 100, "max_epochs": 200}}
    return {**base, **changes, "datacuts": {**base["datacuts"], "t0pdfset": "HYPERPARTON_dis_t0"}}


def elements_of(fitbasis: str, known: list[dict], scaled: bool) -> list[dict]:
    """The elements of a basis with exponents like those `known` ones of EVOL."""
    names = list(ELEMENTS[fitbasis])
    more = [known[2]] * (len(names) - len(known))  # v15 and cbar have the exponents of v
    elements = [{**element, "fl": name} for element, name in zip([*known, *more], names, strict=True)]
    for element in elements:
        if fitbasis.endswith("FLAVOUR"):
            # valence quark numbers are finite for all of these
            element.update(smallx=[0.5, 0.8], largex=[1.7, 3.4])
        if scaled:
            element.pop("largex", None)
    return elements


class Recorder:
    """Looks at n3fit's models while they are trained."""

    def __init__(self, out: dict[str, np.ndarray], spread: float):
        """`spread` is that of the weights at the start."""
        self.out, self.fold, self.models, self.pdf, self.spread = out, 0, {}, None, spread

    def chi2(self) -> None:
        """(model, replica) sums over experiments: training, validation, experimental."""
        rows = []
        for model in self.models.values():
            losses = {
                k: v for k, v in model.compute_losses().items() if k != "loss" and "POS" not in k and "INTEG" not in k
            }
            rows.append(sum(np.asarray(value, float).ravel() for value in losses.values()))
        self.out.setdefault(f"chi2/{self.fold}", []).append(np.array(rows))

    def weights(self, biases: list[float]) -> None:
        """Draws and records the start weights of each replica: kernels, biases, exponents."""
        network, rng = self.pdf.get_layer("all_NNs"), np.random.default_rng(self.fold)
        drawn = [self.spread * rng.normal(size=w.shape) / np.sqrt(w.shape[0]) for w in network.get_weights()]
        network.set_weights([w + biases if w.shape == (len(biases),) else w for w in drawn])
        pre = self.pdf.get_layer("preprocessing_factor")
        self.out[f"alpha/{self.fold}"] = np.array([np.ravel(a) for a in pre.alphas]).T
        self.out[f"beta/{self.fold}"] = np.array([np.ravel(b) for b in pre.betas]).T
        replicas = [self.pdf.get_replica_weights(i)["all_NNs"] for i in range(self.pdf.num_replicas)]
        for place, same in enumerate(zip(*replicas, strict=True)):
            self.out[f"w{place}/{self.fold}"] = np.array([np.asarray(each) for each in same])

    def finish(self, stopping) -> None:  # an n3fit object
        """Best epochs and PDFs (rep, x, evol), weights of the best epoch restored."""
        best = [-1 if epoch is None else epoch for epoch in stopping._best_epochs]
        self.out[f"best/{self.fold}"] = np.array(best)
        self.out[f"stop/{self.fold}"] = np.array(stopping._stop_epochs)
        self.out[f"passed/{self.fold}"] = np.array([status == "POS_PASS" for status in stopping.positivity_statuses])
        xf = [each.predict({"pdf_input": X.reshape(1, -1, 1)}, verbose=0)[0] for each in self.pdf.split_replicas()]
        self.out[f"xf/{self.fold}"] = np.array(xf)
        self.fold += 1


def watch(recorder: Recorder, biases: list[float], parameters: dict, ended: Callable[[], object]) -> None:
    """Puts the recorder into n3fit; `ended` is called when the models of a fold are trained."""
    from n3fit.backends.keras_backend.callbacks import CallbackStep
    from n3fit.hyper_optimization import hyper_scan
    from n3fit.model_trainer import ModelTrainer
    from validphys import convolution

    class Look(CallbackStep):
        def on_step_end(self, epoch, logs=None):
            if epoch + 1 in MOMENTS:
                recorder.chi2()

    generate, train = ModelTrainer._model_generation, ModelTrainer._train_and_fit

    def generate_and_keep(self, xinput, pdf_model, partition, partition_idx):
        recorder.models, recorder.pdf = generate(self, xinput, pdf_model, partition, partition_idx), pdf_model
        return recorder.models

    def train_and_look(self, training_model, stopping_object, epochs=100):
        recorder.weights(biases)
        recorder.chi2()
        self.callbacks = [Look()]
        train(self, training_model, stopping_object, epochs=epochs)
        recorder.finish(stopping_object)
        ended()
        # predictions are cached by the name of the PDF, which is the same for every fold
        convolution.predictions.cache_clear()
        convolution.central_predictions.cache_clear()

    def one_trial(replica_path_set, model_trainer, hyperscanner, max_evals=1):
        model_trainer.set_hyperopt(True, [])
        result = model_trainer.hyperparametrizable(parameters)
        recorder.out["loss"] = result["loss"]
        for name, value in result["kfold_meta"].items():
            for key, array in value.items() if isinstance(value, dict) else [(name, value)]:
                recorder.out[f"meta/{key}"] = np.array(array, float)

    ModelTrainer._model_generation, ModelTrainer._train_and_fit = generate_and_keep, train_and_look
    hyper_scan.hyper_scan_wrapper = one_trial


def command(main: Callable[[], None], *arguments: str) -> None:
    """Runs a command of n3fit in a process of its own that has the imports already; raises SystemExit if it fails."""
    if (child := os.fork()) == 0:
        sys.argv = list(arguments)
        try:
            main()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{' '.join(arguments)} failed")


def record(of: Cases, case: str, target: Path) -> None:
    """One case with n3fit's own commands, in the current folder."""
    from n3fit.scripts import n3fit_exec, vp_setupfit
    from ruamel.yaml import YAML

    with Path("card.yml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(of.card(case), file)
    wanted = of.cases[case]
    out: dict[str, np.ndarray] = {}

    def save() -> None:
        np.savez(target, **{f"{case}/{key}": np.array(value) for key, value in out.items()})

    def fit() -> None:
        recorder = Recorder(out, wanted.get("spread", 0.3))
        # what n3fit writes of a fit takes longer than the fit, and nobody asks for it
        ended = (lambda: None) if wanted["folds"] else (lambda: (save(), os._exit(0)))
        watch(recorder, list(ELEMENTS[wanted["fitbasis"]].values()), of.parameters(case), ended)
        n3fit_exec.main()
        save()

    command(vp_setupfit.main, "vp-setupfit", "card.yml")
    trial = ["--hyperopt", "1"] if wanted["folds"] else []
    command(fit, "n3fit", "card.yml", "1", "-r", str(wanted["replicas"]), *trial)


def main(of: Cases) -> None:
    """Runs the cases that the command line names; all of them without any."""
    target = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else of.target
    with tempfile.TemporaryDirectory() as folder:
        profile = Path(folder) / "profile.yml"
        theories = ROOT / "src/hyperparton/theories"
        profile.write_text(f"nnpdf_share: {folder}/share\ntheories_path: {theories}\n", encoding="utf-8")
        os.environ["NNPDF_PROFILE_PATH"] = str(profile)
        os.environ["LHAPDF_DATA_PATH"] = str(ROOT / "src/hyperparton/lhapdf")
        import n3fit.model_trainer  # noqa: F401 - once for all cases

        for case in sys.argv[2:] or of.cases:
            work = Path(folder) / case
            work.mkdir()
            os.chdir(work)
            record(of, case, made := work / "out.npz")
            with np.load(made) as file:
                out = dict(file)
            # after each case: a script that is stopped keeps what it has
            known = dict(np.load(target)) if target.exists() else {}
            np.savez_compressed(target, **{**known, **out})
            print({name: value.shape for name, value in out.items()}, flush=True)


if __name__ == "__main__":
    main(Cases(Path(__file__).resolve().parent / "data" / "whole_fits_reference.npz", CASES, card, parameters))
