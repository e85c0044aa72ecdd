"""The action that gives n3fit's ModelTrainer, for validphys to find its inputs: what `n3fit` does up to its first fit.

Only `n3fit_trainer` imports this module, after it made sure that n3fit is there.
"""

from __future__ import annotations

from typing import Any

from n3fit.backends import set_initial_state  # pyright: ignore[reportMissingImports]: in an environment with nnpdf
from n3fit.checks import (  # pyright: ignore[reportMissingImports]
    check_photonQED_exists,
    check_polarized_configs,
)
from n3fit.model_trainer import ModelTrainer  # pyright: ignore[reportMissingImports]

__all__ = ["scanned_trainer"]


# validphys reads the names of the arguments: each is the name of a resource. n3fit's own checks run before the rest.
@check_photonQED_exists
@check_polarized_configs
def scanned_trainer(
    *,
    experiments_data,
    n3fit_checks_action,
    replicas_nnseed_fitting_data_dict,
    posdatasets_fitting_pos_dict,
    integdatasets_fitting_integ_dict,
    theoryid,
    fiatlux,
    basis,
    fitbasis,
    positivity_bound,
    load_weights_dict,
    kfold_parameters,
    sum_rules=True,
    load=None,
    debug=False,
    maxcores=None,
    double_precision=False,
) -> Any:
    """n3fit's trainer of all replicas at once, as `n3fit --hyperopt` builds it with `parallel_models`."""
    set_initial_state(debug=debug, max_cores=maxcores, double_precision=double_precision)
    replicas, experiments, nnseeds = zip(*replicas_nnseed_fitting_data_dict, strict=True)
    return ModelTrainer(
        experiments_data,
        experiments,
        posdatasets_fitting_pos_dict,
        integdatasets_fitting_integ_dict,
        basis,
        fitbasis,
        nnseeds,
        positivity_bound,
        debug=debug,
        kfold_parameters=kfold_parameters,
        max_cores=maxcores,
        model_file=load,
        sum_rules=sum_rules,
        theoryid=theoryid,
        lux_params=fiatlux,
        replicas=replicas,
        load_weights_dict=load_weights_dict,
    )
