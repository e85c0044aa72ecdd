"""Keys of a card that change nothing, because of what else the card says."""

from __future__ import annotations

from collections.abc import Iterator

from hyperparton.errors import Fault
from hyperparton.runcard.card import Runcard
from hyperparton.runcard.datacuts import FROM_FIT, INTERSECTION, NO_CUTS, SIMILAR, Limits
from hyperparton.runcard.parameters import Parameters
from hyperparton.runcard.treatment import CUSTOM, SAMPLING, DataTreatment
from hyperparton.runcard.yaml_positions import KeyPath
from hyperparton.text import counted

__all__ = ["dead_keys"]


def dead_keys(card: Runcard) -> list[Fault]:
    """What of a faultless card has no effect, each with its place and why; of entries of a list the first stands."""
    found = [*_data(card), *_kfold(card), *_parameters(card), *_scan(card)]
    return [card.fault(path, f"changes nothing: {why}") for path, why in found]


_Found = Iterator[tuple[KeyPath, str]]


def _data(card: Runcard) -> _Found:
    given = card.model_fields_set
    fractions = [place for place, entry in enumerate(card.dataset_inputs) if "frac" in entry.model_fields_set]
    if card.diagonal_basis and fractions:
        why = f"with diagonal_basis the share of the eigenmodes that trains is diagonal_frac, {card.diagonal_frac:g}"
        yield ("dataset_inputs", fractions[0], "frac"), why + _and_more(len(fractions))
    if not card.diagonal_basis and "diagonal_frac" in given:
        yield ("diagonal_frac",), "without diagonal_basis the share of the points that trains is `frac` of each set"
    if card.diagonal_frac == 1 if card.diagonal_basis else all(entry.frac == 1 for entry in card.dataset_inputs):
        yield ("trvlseed",), "all the data train, so none are split off"
    if not card.genrep and "mcseed" in given:
        yield ("mcseed",), "without genrep no data replicas are drawn"
    yield from _treatment(card)
    yield from _cuts(card)
    if card.raw.get("experiments"):
        yield ("experiments",), "dataset_inputs is what counts"


#: policy of cuts -> keys of datacuts that are for it
_OF_POLICIES = {
    "cuts_intersection_spec": (INTERSECTION, SIMILAR),
    "fit": (FROM_FIT,),
    "cut_similarity_threshold": (SIMILAR,),
    "do_not_require_similarity_for": (SIMILAR,),
}


def _cuts(card: Runcard) -> _Found:
    """Of the keys that say which points stay."""
    given, policy = card.datacuts.model_fields_set, card.datacuts.use_cuts
    for key, policies in _OF_POLICIES.items():
        if key in given and policy not in policies:
            yield ("datacuts", key), f"it is for use_cuts: {' and '.join(policies)}, which is {policy}"
    for k, entry in enumerate(card.datacuts.cuts_intersection_spec or ()):
        for key in ("pdf", "dataset_inputs") if policy == INTERSECTION else ():
            if key in entry.model_fields_set:
                yield (
                    ("datacuts", "cuts_intersection_spec", k, key),
                    f"it is for use_cuts: {SIMILAR}, which is {policy}",
                )
    if "filter_rules" in card.model_fields_set and not card.filter_rules:
        yield ("filter_rules",), "it has no rule, so NNPDF's own stay"
    if policy in (NO_CUTS, FROM_FIT) and not card.filter_rules:
        why = f"with use_cuts: {policy} there are no rules"
        yield from ((("datacuts", name), why) for name in Limits._fields if name in given)
        rules = ("added_filter_rules", "drop_internal_rules", "filter_defaults")
        yield from (((key,), why) for key in rules if key in card.model_fields_set)


def _treatment(card: Runcard) -> _Found:
    """Of the keys that say how data are treated."""
    given = card.model_fields_set
    for key in SAMPLING:
        if not card.genrep and getattr(card, key) != DataTreatment.model_fields[key].default:
            yield (key,), "without genrep no data replicas are drawn"
    if card.genrep and card.separate_multiplicative and "use_t0_sampling" in given:
        yield ("use_t0_sampling",), "with separate_multiplicative data replicas are drawn with additive uncertainties"
    if "use_weights_in_covmat" in given and all(entry.weight == 1 for entry in card.dataset_inputs):
        yield ("use_weights_in_covmat",), "no data set has another weight than 1"
    weights = [place for place, entry in enumerate(card.dataset_inputs) if entry.weight != 1]
    if weights and not card.use_weights_in_covmat:
        why = "use_weights_in_covmat is false" + _and_more(len(weights))
        yield ("dataset_inputs", weights[0], "weight"), why
    if "threshold" in given and not card.diagonal_basis:
        yield ("threshold",), "without diagonal_basis there are no eigenmodes"
    if card.metadata_group is not None and card.data_grouping is not None:
        yield ("data_grouping",), "metadata_group is what counts"
    groups = [place for place, entry in enumerate(card.dataset_inputs) if entry.custom_group is not None]
    if groups and card.grouping != CUSTOM:
        why = "metadata_group is not custom_group" + _and_more(len(groups))
        yield ("dataset_inputs", groups[0], "custom_group"), why
    yield from _theory_covariance(card)
    if card.theory.t0theoryid == card.theoryid:
        yield ("theory", "t0theoryid"), "it is theoryid"


def _theory_covariance(card: Runcard) -> _Found:
    config, path = card.theorycovmatconfig, "theorycovmatconfig"
    if config is None:
        return
    if not (config.use_thcovmat_in_fitting or config.use_thcovmat_in_sampling):
        yield (path,), "use_thcovmat_in_fitting and use_thcovmat_in_sampling are false"
        return
    if config.user_covmat_path is None:
        yield (path,), "it names no matrix"
        return
    if not card.genrep and "use_thcovmat_in_sampling" in config.model_fields_set:
        yield (path, "use_thcovmat_in_sampling"), "without genrep no data replicas are drawn"
    for key in sorted(config.model_extra or ()):
        yield (path, key), "there are no point_prescriptions"


def _and_more(count: int) -> str:
    return "" if count == 1 else f" (so in {counted(count, 'data set')})"


def _kfold(card: Runcard) -> _Found:
    kfold = card.kfold
    if kfold is None:
        return
    if card.hyperscan_config is None:
        yield ("kfold",), "folds are for scans, and there is no hyperscan_config"
        return
    given = kfold.model_fields_set
    if "verbosity" in given:
        yield ("kfold", "verbosity"), "it is about n3fit's messages"
    if kfold.loss_type != "chi2" and "replica_statistic" in given:
        yield ("kfold", "replica_statistic"), f"{kfold.loss_type} is one number of all replicas"
    if len(kfold.partitions) == 1:
        for key in ("fold_statistic", "target"):
            if key in given:
                yield ("kfold", key), "there is one fold"
    if kfold.penalties_in_loss and not kfold.penalties:
        yield ("kfold", "penalties_in_loss"), "no penalties are computed"
    elif kfold.penalties_in_loss and kfold.loss_type == "chi2p":
        yield ("kfold", "penalties_in_loss"), "no penalties are added to chi2p"
    for place, partition in enumerate(kfold.partitions):
        if not partition.datasets:
            why = "the fold hides no data and is judged by those that it fits"
            yield ("kfold", "partitions", place, "datasets"), why


def _parameters(card: Runcard) -> _Found:
    parameters = card.parameters
    for key, sets in (("positivity", card.positivity), ("integrability", card.integrability)):
        if not sets and key in parameters.model_fields_set:
            yield ("parameters", key), f"the card has no {key} sets"
    if card.integrability and "threshold" in parameters.integrability.model_fields_set:
        yield ("parameters", "integrability", "threshold"), "it is no condition for the best epoch"
    if parameters.regularizer is not None and parameters.regularizer_args.l1 == parameters.regularizer_args.l2 == 0:
        yield ("parameters", "regularizer"), "l1 and l2 of regularizer_args are 0"
    if isinstance(parameters, Parameters) and parameters.optimizer.nesterov and not parameters.optimizer.momentum:
        yield ("parameters", "optimizer", "nesterov"), "the momentum is 0"
    for place, element in enumerate(card.fitting.basis):
        fixed = all(low == high for low, high in (element.smallx, element.largex))
        if fixed and element.trainable and "trainable" in element.model_fields_set:
            yield ("fitting", "basis", place, "trainable"), "the ranges of its exponents are single values"


def _scan(card: Runcard) -> _Found:
    config = card.hyperscan_config
    if config is None:
        return
    for key, sets in (("positivity", card.positivity), ("integrability", card.integrability)):
        if getattr(config, key) is not None and not sets:
            yield ("hyperscan_config", key), f"the card has no {key} sets"
    if "restart" in config.model_fields_set:
        yield ("hyperscan_config", "restart"), "a scan always continues what its folder holds"
    if config.parallel:
        host = config.db_host.rpartition("@")[2]  # without a login
        url = f"mongodb://{host}:{config.db_port}/{config.db_name}"
        yield ("hyperscan_config", "parallel"), f"trials run at once with --workers W or --store {url}"
    else:
        for key in ("db_host", "db_port", "db_name", "num_mongo_workers"):
            if key in config.model_fields_set:
                yield ("hyperscan_config", key), "a scan joins a database with --store URL"
