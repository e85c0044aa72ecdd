"""Files of weights as n3fit writes them, and the PDF that each gives: `weights/NAME.weights.h5` and `weights.npz`.

Run in an environment with `nnpdf` 4.1.5 (Python 3.12):

    python tests/oracle/make_weights_reference.py tests/oracle/data

The tests compare with the files; nothing of nnpdf is needed to run them.
"""

import sys
from pathlib import Path

import numpy as np
from n3fit import scaler
from n3fit.model_gen import ReplicaSettings, generate_pdf_model

EVOL = ["sng", "g", "v", "v3", "v8", "t3", "t8", "t15"]
FLAVOUR = ["u", "ubar", "d", "dbar", "s", "sbar", "c", "g"]
X = np.concatenate([np.logspace(-7, -1, 12), np.linspace(0.15, 0.95, 8)])
ACTIVATIONS = ["tanh", "sigmoid", "linear"]

#: name -> (fitbasis, elements, nodes, layer type, dropout, sum rules, which exponents are fitted, scaling points)
CASES = {
    "dense": ("EVOL", EVOL, [7, 5, 8], "dense", 0.0, "All", (), None),
    "mixed": ("EVOL", EVOL, [7, 5, 8], "dense", 0.1, "All", ("g", "v8"), None),
    "per_flavour": ("FLAVOUR", FLAVOUR, [7, 5, 8], "dense_per_flavour", 0.0, False, (), None),
    "scaled": ("EVOL", EVOL, [7, 5, 8], "dense", 0.0, "All", EVOL, 5),
}


def made(name, folder):
    """One case: its file of weights, and x f of it on X."""
    fitbasis, elements, nodes, layer_type, dropout, sum_rules, trained, points = CASES[name]
    basis = [
        {
            "fl": fl,
            "smallx": [0.6 + 0.02 * i, 0.9 + 0.02 * i],
            "largex": [1.5 + 0.1 * i, 3.0 + 0.1 * i],
            "trainable": fl in trained,
        }
        for i, fl in enumerate(elements)
    ]
    settings = [
        ReplicaSettings(nodes=nodes, activations=ACTIVATIONS, seed=seed, architecture=layer_type, dropout_rate=dropout)
        for seed in (7, 8)
    ]
    scale = scaler.generate_scaler([X.reshape(1, -1)], points) if points else None
    model = generate_pdf_model(settings, basis, fitbasis, impose_sumrule=sum_rules, scaler=scale)
    network = model.get_layer("all_NNs")
    rng = np.random.default_rng(3)
    # biases are zero at the start: make every weight count
    network.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in network.get_weights()])
    second = model.split_replicas()[1]
    second.save_weights(folder / f"{name}.weights.h5")
    return second.predict({"pdf_input": X.reshape(1, -1, 1)}, verbose=0)[0]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / "weights").mkdir(exist_ok=True)
    np.savez_compressed(target / "weights.npz", x=X, **{name: made(name, target / "weights") for name in CASES})
