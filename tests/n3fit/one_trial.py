"""One trial by n3fit alone, in a process of its own: arguments FILE, then n3fit's; FILE has the trial's parameters.

The result takes their place in the file.
"""

import json
import sys
from pathlib import Path

import n3fit.hyper_optimization.hyper_scan as hyper_scan
import numpy as np
from n3fit.scripts.n3fit_exec import main


def one_trial(replica_path_set, model_trainer, hyperscanner, max_evals=1):
    model_trainer.set_hyperopt(True, keys=hyperscanner.hyper_keys)
    parameters = json.loads(FILE.read_text())
    result = model_trainer.hyperparametrizable(parameters)
    FILE.write_text(json.dumps(result, default=lambda value: np.asarray(value).tolist()))
    return parameters


if __name__ == "__main__":
    FILE = Path(sys.argv.pop(1))
    hyper_scan.hyper_scan_wrapper = one_trial
    main()
