"""What each key of a runcard means, a sentence each: for the JSON Schema, and through it for editors and the manual.

A test holds the list complete against the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MEANINGS"]

#: model -> key -> meaning
MEANINGS: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "Runcard": {
        "dataset_inputs": "Data sets that are fitted.",
        "datacuts": "Kinematic cuts, and the PDF set of the t0 covariance matrix.",
        "theory": "Which theory's FK tables are used.",
        "parameters": "Hyperparameters of one fit; in a scan, the values of those that are not sampled.",
        "fitting": "Fitting basis, and the preprocessing of its elements.",
        "kfold": "Folds of a scan, and how a trial is judged.",
        "positivity": "Observables that must not be negative.",
        "integrability": "Combinations of PDFs that must be integrable.",
        "added_filter_rules": "Cut rules beside NNPDF's own, in NNPDF's form.",
        "trvlseed": "Seed of the split into training and validation data.",
        "nnseed": "Seed of the networks' first weights.",
        "mcseed": "Seed of the data replicas.",
        "genrep": "Whether each replica is fitted to a Monte Carlo replica of the data, not to the data themselves.",
        "sum_rules": "Sum rules that are imposed: All or true, MSR (momentum), VSR (valence), or false.",
        "diagonal_basis": "Whether training and validation are split in the eigenbasis of the covariance matrix.",
        "diagonal_frac": "Share of the eigenmodes that is used for training.",
        "same_trvl_per_replica": "Whether all replicas have the same split.",
        "hyperscan_config": "What a scan samples.",
    },
    "DatasetInput": {
        "dataset": "NNPDF's name of the set.",
        "frac": "Share of its points that is used for training.",
        "cfac": "C-factors that multiply its predictions.",
        "variant": "Variant of the set, such as legacy_dw.",
        "weight": "Its weight in the loss; 1 is the only one that is supported.",
        "custom_group": "A name for groups of sets; it changes nothing.",
    },
    "DataCuts": {
        "t0pdfset": "PDF set of the t0 covariance matrix; without it the experimental one is used.",
        "q2min": "Least Q², in GeV².",
        "w2min": "Least W² of deep-inelastic data, in GeV².",
        "maxTau": "Greatest τ of Drell-Yan data.",
    },
    "TheoryInput": {"theoryid": "Number of NNPDF's theory."},
    "Fitting": {
        "fitbasis": "Fitting basis.",
        "basis": "Its elements, each once.",
    },
    "BasisElement": {
        "fl": "Name of the element.",
        "smallx": "Range of its exponent α in x^(1-α).",
        "largex": "Range of its exponent β in (1-x)^β.",
        "trainable": "Whether the exponents are trained.",
    },
    "LagrangeSet": {
        "dataset": "NNPDF's name of the set.",
        "maxlambda": "Value to which its multiplier grows by the end of a fit.",
        "variant": "Variant of the set.",
    },
    "Parameters": {
        "nodes_per_layer": "Widths of the layers; the last is the number of elements of the fitting basis.",
        "activation_per_layer": "Activation of each layer.",
        "initializer": "How the weights are drawn at first.",
        "optimizer": "Optimizer and its arguments.",
        "epochs": "Greatest number of epochs.",
        "stopping_patience": "Share of the epochs for which a fit goes on without a better validation χ².",
        "stopping_delta": "By how much the validation χ² must become better to count.",
        "positivity": "Multiplier of the positivity observables.",
        "integrability": "Multiplier of the integrability observables.",
        "layer_type": "One network for all flavours (dense), or one for each (dense_per_flavour).",
        "dropout": "Share of the nodes left out at random, after the last but one of the hidden layers.",
        "regularizer": "Regularizer of the weights.",
        "regularizer_args": "Its arguments.",
        "threshold_chi2": "Validation χ² per point that the first epoch to count must be below; 10 if not given.",
        "feature_scaling_points": "Number of points of the interpolation that scales x; without it x and log x go in.",
    },
    "Optimizer": {
        "optimizer_name": "Its name.",
        "learning_rate": "Learning rate; the default is the optimizer's own.",
        "clipnorm": "Norm to which gradients are cut.",
        "momentum": "Momentum of SGD.",
        "nesterov": "Whether SGD's momentum is Nesterov's.",
    },
    "LagrangeOptions": {
        "multiplier": "Growth of the multiplier every 100 epochs; without it, that which leads to maxlambda.",
        "initial": "First value of the multiplier.",
        "threshold": "Value of the observables' loss below which positivity counts as satisfied.",
    },
    "RegularizerArguments": {
        "l1": "Factor of the sum of absolute weights.",
        "l2": "Factor of the sum of squared weights.",
    },
    "HyperscanConfig": {
        "stopping": "Ranges of epochs and patience.",
        "optimizer": "Optimizers to choose from, each with ranges of its own.",
        "positivity": "Ranges of the positivity multiplier.",
        "integrability": "Accepted as in n3fit's cards, and not sampled, as in n3fit.",
        "architecture": "Ranges of the network.",
        "space": "Ranges of any other parameter, by its name; for trainers of your own.",
        "parameters": "Whole parameter sets to choose among; nothing else is sampled then.",
        "restart": "n3fit's; a scan always continues what its folder holds.",
        "parallel": "Whether many jobs work on the scan through a MongoDB.",
        "db_host": "Host of the MongoDB.",
        "db_port": "Its port.",
        "db_name": "Name of its database.",
        "num_mongo_workers": "Workers that this job starts.",
        "prune": "Whether trials that cannot become one of the best are stopped before their end.",
    },
    "Stopping": {
        "min_epochs": "Fewest epochs.",
        "max_epochs": "Most epochs.",
        "min_patience": "Least patience; 0 if only the other is given.",
        "max_patience": "Greatest patience; 1 if only the other is given.",
    },
    "ScannedOptimizer": {
        "optimizer_name": "Its name.",
        "learning_rate": "A number, or a range.",
        "clipnorm": "A number, or a range.",
        "momentum": "A number, or a range.",
        "nesterov": "Whether SGD's momentum is Nesterov's.",
    },
    "ScannedLagrange": {
        "min_multiplier": "Least growth of the multiplier; 1 if only the greatest is given.",
        "max_multiplier": "Greatest growth.",
        "min_initial": "Least first value.",
        "max_initial": "Greatest first value; it is sampled in its logarithm.",
    },
    "Architecture": {
        "initializers": "Initializers to choose from; ALL means every known one.",
        "activations": "Activations of all layers but the last.",
        "max_drop": "Greatest dropout.",
        "n_layers": "Numbers of hidden layers to choose from.",
        "min_units": "Least width of a hidden layer.",
        "max_units": "Greatest width.",
        "layer_types": "Layer types to choose from.",
    },
    "OwnRange": {
        "min": "Lower bound.",
        "max": "Upper bound.",
        "sampling": "uniform, log (uniform in the logarithm) or quniform (a grid).",
        "step": "Distance of the grid's points.",
        "steps": "Number of steps of the grid, in place of step.",
        "make_int": "Whether the trainer receives whole numbers.",
        "choice": "A list of values to choose from, in place of a range.",
    },
    "KFold": {
        "partitions": "The folds; each hides its data sets from one of the fits.",
        "threshold": "Loss of a fold above which the trial fails.",
        "penalties": "Penalties that are computed.",
        "loss_type": "Number by which a fold is judged.",
        "replica_statistic": "How replicas are summed up in a fold's loss.",
        "fold_statistic": "How folds are summed up in a trial's loss.",
        "target": "Older name of fold_statistic.",
        "reduce_proportion": "Share of the replicas, the best ones, whose validation χ² counts.",
        "penalties_in_loss": "Whether the penalties are added to the loss.",
        "verbosity": "n3fit's; it changes nothing.",
    },
    "Partition": {
        "datasets": "Data sets that are hidden from the fit of this fold.",
        "overfit": "Whether the hidden data are fitted all the same.",
        "weight": "Factor of the fold's loss.",
    },
})  # fmt: skip
