"""The keys of a card that say how its data are treated: covariance matrices, data replicas, groups."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from hyperparton.runcard.field_types import Flag, NonNegative, Positive, Section, one_of

__all__ = ["ALL", "CUSTOM", "DATA_GROUPINGS", "EXPERIMENT", "METADATA_GROUPS", "SAMPLING", "DataTreatment"]

ALL, EXPERIMENT, CUSTOM = "ALL", "experiment", "custom_group"

#: what groups of data sets can be made of: all in one, entries of nnpdf-data's metadata, or what the card names
METADATA_GROUPS = (ALL, EXPERIMENT, "nnpdf31_process", "process_type", "dataset_label", CUSTOM)

#: n3fit's names of groupings -> the same as a metadata_group
DATA_GROUPINGS: Mapping[str, str] = MappingProxyType(
    {"standard_report": EXPERIMENT, "thcovmat_fit": ALL, "diagonal_basis": ALL}
)


#: keys of the data replicas, which there are with `genrep` alone
SAMPLING = ("use_t0_sampling", "separate_multiplicative", "resample_negative_pseudodata")


class DataTreatment(Section):
    """The keys themselves; they stand at the top level of a card."""

    use_t0_sampling: Flag = True
    """Whether data replicas are drawn with the t0 matrix; if not, with the experimental one."""
    separate_multiplicative: Flag = False
    """Whether multiplicative uncertainties are factors of the data replicas, drawn apart from the covariance matrix."""
    resample_negative_pseudodata: Flag = False
    """Whether a data replica in which a cross section is negative is drawn again."""
    use_weights_in_covmat: Flag = True
    """Whether the weights of data sets count."""
    norm_threshold: Positive | None = None
    """Bound n of the regularisation: eigenvalues of the correlation matrix below 1/n² become 1/n²."""
    threshold: NonNegative = 0.0
    """With diagonal_basis, eigenmodes of the correlation matrix with a lower eigenvalue neither train nor validate."""
    metadata_group: Annotated[str, *one_of("metadata_group", METADATA_GROUPS)] | None = None
    """What the data sets of one group have in common; data of two groups are not correlated."""
    data_grouping: Annotated[str, *one_of("data_grouping", DATA_GROUPINGS)] | None = None
    """n3fit's name of a grouping, where there is no metadata_group: standard_report is that by experiment, with the
    others all are in one group. Without both keys that is so with diagonal_basis; else the groups are experiments."""
