"""Reference numbers of n3fit for the layers, losses, optimizers and hyper losses of a fit.

Run in an environment with `nnpdf` 4.1.5 (Python 3.12):

    python tests/oracle/make_fit_reference.py tests/oracle/data/fit_reference.npz

The tests compare with the file; nothing of nnpdf is needed to run them.
"""

import sys
from types import SimpleNamespace

import keras
import n3fit.hyper_optimization.penalties as penalties
import numpy as np
import pandas as pd
import tensorflow as tf
from n3fit import scaler, vpinterface
from n3fit.backends.keras_backend.base_layers import custom_activations
from n3fit.backends.keras_backend.MetaModel import optimizers
from n3fit.hyper_optimization import rewards
from n3fit.layers import losses
from n3fit.model_gen import ReplicaSettings, generate_pdf_model
from n3fit.model_trainer import _LM_initial_and_multiplier
from n3fit.vpinterface import HyperoptMetrics

BASES = {
    "EVOL": ["sng", "g", "v", "v3", "v8", "t3", "t8", "t15"],
    "NN31IC": ["sng", "g", "v", "v3", "v8", "t3", "t8", "cp"],
    "FLAVOUR": ["u", "ubar", "d", "dbar", "s", "sbar", "c", "g"],
    "NN31PC": ["sng", "g", "v", "v3", "v8", "t3", "t8"],
    "FLAVOURPC": ["u", "ubar", "d", "dbar", "s", "sbar", "g"],
    "CCBAR_ASYMM": ["sng", "g", "v", "v3", "v8", "t3", "t8", "t15", "v15"],
    "CCBAR_ASYMM_FLAVOUR": ["u", "ubar", "d", "dbar", "s", "sbar", "c", "cbar", "g"],
    "PDF4LHC20": ["sng", "g", "v", "v3", "t3", "t8"],
}
X = np.concatenate([np.logspace(-7, -1, 12), np.linspace(0.15, 0.95, 8), [1.0]])
OUT = {"x": X}


def basis(fitbasis):
    """Flavour information with ranges that differ between elements."""
    return [
        {
            "fl": fl,
            "smallx": [0.6 + 0.02 * i, 0.9 + 0.02 * i],
            "largex": [1.5 + 0.1 * i, 3.0 + 0.1 * i],
            "trainable": False,
        }
        for i, fl in enumerate(BASES[fitbasis])
    ]


def record_weights(key, pdf_model):
    """Weights of the first replica: kernels, biases, alpha and beta, in the order of the model."""
    nn = pdf_model.get_layer("all_NNs")
    for i, weight in enumerate(nn.get_weights()):
        OUT[f"{key}/w{i}"] = weight
    pre = pdf_model.get_layer("preprocessing_factor")
    OUT[f"{key}/alpha"] = np.array([float(np.ravel(a)[0]) for a in pre.alphas])
    OUT[f"{key}/beta"] = np.array([float(np.ravel(b)[0]) for b in pre.betas])


def pdf(key, fitbasis, sum_rules, nodes, activations, layer_type="dense", points=None):
    """x f of one n3fit model on X, with its weights."""
    settings = ReplicaSettings(nodes=nodes, activations=activations, seed=7, architecture=layer_type)
    scale = None
    if points:
        scale = scaler.generate_scaler([X[:-1].reshape(1, -1)], points)
        OUT[f"{key}/scaled"] = scale(X.reshape(-1, 1))[:, 0]
    model = generate_pdf_model([settings], basis(fitbasis), fitbasis, impose_sumrule=sum_rules, scaler=scale)
    nn = model.get_layer("all_NNs")
    rng = np.random.default_rng(3)
    # biases are zero at the start: make every weight count
    nn.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in nn.get_weights()])
    record_weights(key, model)
    OUT[f"{key}/xf"] = model.predict({"pdf_input": X.reshape(1, -1, 1)}, verbose=0)[0, 0]


def pdfs():
    acts = ["tanh", "sigmoid", "linear"]
    for fitbasis, elements in BASES.items():
        nodes = [7, 5, len(elements)]
        pdf(f"pdf/{fitbasis}", fitbasis, "All", nodes, acts)
        pdf(f"pdf/{fitbasis}/but_charm", fitbasis, "ALLBUTCSR", nodes, acts)
    nodes = [7, 5, 8]
    pdf("pdf/MSR", "EVOL", "MSR", nodes, acts)
    pdf("pdf/VSR", "EVOL", "VSR", nodes, acts)
    pdf("pdf/off", "EVOL", False, nodes, acts)
    pdf("pdf/per_flavour", "EVOL", "All", nodes, acts, layer_type="dense_per_flavour")
    pdf("pdf/scaled", "EVOL", "All", nodes, acts, points=5)


def activations():
    z = np.linspace(-3, 3, 13).astype(np.float32).reshape(1, 13)
    OUT["activation/z"] = z
    for name in ("tanh", "sigmoid", "relu", "elu", "selu", "softplus", "softsign", "silu", "swish", "linear"):
        OUT[f"activation/{name}"] = keras.activations.get(name)(tf.constant(z)).numpy()
    # Keras's string 'gelu' is the exact form
    OUT["activation/gelu"] = keras.activations.gelu(tf.constant(z), approximate=False).numpy()
    for name in ("square", "square_singlet", "modified_tanh"):
        OUT[f"activation/{name}"] = np.array(custom_activations[name](tf.constant(z)))


def optimizer_paths():
    """60 steps of each optimizer on a fixed sequence of gradients, with a clipnorm that acts."""
    rng = np.random.default_rng(11)
    start = rng.normal(size=(4, 3)).astype(np.float32)
    gradients = (rng.normal(size=(60, 4, 3)) * np.logspace(0, -7, 60)[:, None, None]).astype(np.float32)
    OUT["optimizer/start"], OUT["optimizer/gradients"] = start, gradients
    for name, (cls, defaults) in optimizers.items():
        for label, clip in (("clip", 1e-3), ("noclip", 1e6)):
            args = {**defaults, "clipnorm": clip}
            if name == "SGD":
                args.update(momentum=0.9, nesterov=True)
            optimizer, variable, path = cls(**args), tf.Variable(start), []
            for gradient in gradients:
                optimizer.apply([tf.constant(gradient)], [variable])
                path.append(variable.numpy().copy())
            OUT[f"optimizer/{name}/{label}"] = np.array(path)


def loss_layers():
    rng = np.random.default_rng(5)
    a = rng.normal(size=(9, 9))
    inverse, data, prediction = a @ a.T + np.eye(9), rng.normal(size=(1, 9)), rng.normal(size=(1, 1, 9))
    mask = rng.random(9) > 0.4
    OUT.update({"loss/inverse": inverse, "loss/data": data, "loss/prediction": prediction, "loss/mask": mask})
    args = (tf.constant(prediction, tf.float32),)
    OUT["loss/chi2"] = np.array(losses.LossInvcovmat(inverse, data, mask)(*args))
    OUT["loss/positivity"] = np.array(losses.LossPositivity(c=30.0)(*args))
    OUT["loss/integrability"] = np.array(losses.LossIntegrability(c=30.0)(*args))
    OUT["loss/hyperopt"] = np.array([losses.LossHyperopt()(np.asarray(c)) for c in (0.9, 1.2, 1.5, 4.0)])
    cases = [(None, None), (10.0, None), (None, 1.1), (10.0, 1.1)]
    OUT["loss/multipliers"] = np.array([_LM_initial_and_multiplier(i, m, 1e6, 13) for i, m in cases])


def stopping():
    """Made-up validation chi2 and positivity of 3 replicas, epoch by epoch, through n3fit's stopping."""
    from n3fit.stopping import Stopping

    rng = np.random.default_rng(2)
    epochs, reps, ndata = 60, 3, 50
    falling = 4.0 * np.exp(-np.arange(epochs) / 8.0)[:, None] + 1.0 + 0.05 * rng.normal(size=(epochs, reps))
    chi2 = (ndata * (falling + 0.02 * np.maximum(np.arange(epochs) - 25, 0)[:, None] * np.array([1, 0, 1]))).astype(
        np.float32
    )
    positivity = np.where(rng.random((epochs, reps)) < 0.3, 1e-3, 1e-8).astype(np.float32)
    positivity[:, 2] = 1e-3  # never passes
    row = {"i": 0}

    def compute_losses():
        i = min(row["i"], epochs - 1)
        return {"loss": chi2[i] + positivity[i], "ALL_val_loss": chi2[i], "POS_loss": positivity[i]}

    pdf_model = SimpleNamespace(
        num_replicas=reps, get_replica_weights=lambda i: None, set_replica_weights=lambda w, i: None
    )
    info = [
        {"name": "ALL", "ndata": [150] * reps, "ndata_vl": [ndata] * reps, "count_chi2": True},
        {"name": "POS", "positivity": True, "integrability": False},
    ]
    stop = Stopping(
        SimpleNamespace(compute_losses=compute_losses), info, pdf_model, total_epochs=epochs, stopping_patience=9,
        threshold_chi2=3.0, threshold_positivity=1e-6,
    )  # fmt: skip
    for epoch in range(epochs):
        row["i"] = epoch
        stop.monitor_chi2({"loss": 1.0}, epoch)
        if stop.stop_here():
            break
    OUT["stopping/chi2"], OUT["stopping/positivity"], OUT["stopping/ndata"] = chi2, positivity, ndata
    OUT["stopping/best"] = np.array([-1 if e is None else e for e in stop._best_epochs])
    OUT["stopping/stop"] = np.array(stop._stop_epochs)


def hyper_losses():
    """HyperLoss on made-up losses of 4 folds and 10 replicas."""
    rng = np.random.default_rng(9)
    validation, experimental = 1.0 + rng.random((4, 10)), 1.0 + 3.0 * rng.random((4, 10))
    saturation, patience = rng.random((4, 10)), rng.random((4, 10))
    metrics = 0.5 + rng.random((4, 3))
    OUT.update({"hyper/validation": validation, "hyper/experimental": experimental, "hyper/saturation": saturation})
    OUT.update({"hyper/patience": patience, "hyper/metrics": metrics})
    for loss_type in ("chi2", "phi2", "logp", "chi2p"):
        for replica_statistic in ("average", "best_worst", "std"):
            for fold_statistic in ("average", "best_worst", "std"):
                for in_loss in (False, True):
                    hyper = rewards.HyperLoss(loss_type, replica_statistic, fold_statistic, 0.85, in_loss)
                    if loss_type == "phi2" and replica_statistic != "average":
                        continue
                    fold = []
                    for k in range(4):
                        chi2, phi2, logp = metrics[k]
                        rewards.compute_hyperopt_metrics = lambda m=(chi2, phi2, logp), **_: HyperoptMetrics(*m, 0.0)
                        fold.append(
                            hyper.compute_loss(
                                {"saturation": saturation[k].copy(), "patience": patience[k].copy()},
                                validation[k].copy(), experimental[k].copy(),
                                SimpleNamespace(select_models=lambda i: None), [], k,
                            )
                        )  # fmt: skip
                    key = f"hyper/{loss_type}/{replica_statistic}/{fold_statistic}/{int(in_loss)}"
                    OUT[key] = np.array([*fold, hyper.reduce_over_folds(np.array(fold))])


def metrics():
    """chi2, phi2, logp and chi2exp of made-up predictions, for six replicas and for one."""
    rng = np.random.default_rng(21)
    data, root = 1.0 + rng.random(12), 0.05 * rng.normal(size=(12, 12))
    covmat, replicas = root @ root.T + np.diag(0.1 * data) ** 2, data[:, None] + 0.1 * rng.normal(size=(12, 6))
    OUT.update({"metrics/data": data, "metrics/covmat": covmat, "metrics/predictions": replicas})
    common = SimpleNamespace(central_values=pd.Series(data))
    groups = [SimpleNamespace(datasets=[SimpleNamespace(load_commondata=lambda: common)])]
    vpinterface.dataset_inputs_covmat_from_systematics = lambda data, use_weights_in_covmat: covmat
    vpinterface.central_predictions = lambda dataset, pdf: pd.DataFrame(pdf.mean(axis=1))
    vpinterface.predictions = lambda dataset, pdf: pd.DataFrame(pdf)
    for count in (6, 1):
        found = vpinterface.compute_hyperopt_metrics(replicas[:, :count], groups)
        OUT[f"metrics/{count}"] = np.array([found.chi2, found.phi2, found.logp, found.chi2exp])


def penalty_values():
    """The three penalties of one n3fit model whose weights are recorded."""
    settings = ReplicaSettings(nodes=[7, 8], activations=["tanh", "linear"], seed=4)
    model = generate_pdf_model([settings], basis("EVOL"), "EVOL", impose_sumrule="All")
    record_weights("penalty", model)
    OUT["penalty/saturation"] = np.array(penalties.saturation(pdf_model=model))
    OUT["penalty/integrability"] = np.array(penalties.integrability(pdf_model=model))
    stop = SimpleNamespace(e_best_chi2=[1000, 30], stopping_patience=500, total_epochs=5000, vl_chi2=[2.42, 1.1])
    OUT["penalty/patience"] = np.array(penalties.patience(stop))


if __name__ == "__main__":
    for part in (pdfs, activations, optimizer_paths, loss_layers, stopping, hyper_losses, penalty_values, metrics):
        part()
    np.savez_compressed(sys.argv[1], **OUT)
    print(len(OUT), "arrays")
