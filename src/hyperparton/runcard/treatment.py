"""The keys of a card that say how its data are treated: covariance matrices, data replicas, groups."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict

from hyperparton.runcard.field_types import Flag, NonNegative, Positive, Section, Text, one_of

__all__ = [
    "ALL",
    "CUSTOM",
    "DATA_GROUPINGS",
    "EXPERIMENT",
    "METADATA_GROUPS",
    "SAMPLING",
    "DataTreatment",
    "TheoryCovmatConfig",
]

ALL, EXPERIMENT, CUSTOM = "ALL", "experiment", "custom_group"

#: what groups of data sets can be made of: all in one, entries of nnpdf-data's metadata, or what the card names
METADATA_GROUPS = (ALL, EXPERIMENT, "nnpdf31_process", "process_type", "dataset_label", CUSTOM)

#: n3fit's names of groupings -> the same as a metadata_group
DATA_GROUPINGS: Mapping[str, str] = MappingProxyType(
    {"standard_report": EXPERIMENT, "thcovmat_fit": ALL, "diagonal_basis": ALL}
)


#: keys of the data replicas, which there are with `genrep` alone
SAMPLING = ("use_t0_sampling", "separate_multiplicative", "resample_negative_pseudodata")


class TheoryCovmatConfig(Section):
    """`theorycovmatconfig`: a covariance matrix of theory that is added to those of the data."""

    model_config = ConfigDict(extra="allow")  # the keys of its other sources are looked at in `check`

    user_covmat_path: Text | None = None
    """File with a covariance matrix of one's own, tab- or comma-separated as validphys writes it, with rows and columns
    (group, dataset, id); its path is absolute, or relative to the card or to the current folder."""
    mult_factor: Positive = 1.0
    """Factor of this matrix."""
    use_thcovmat_in_fitting: Flag = True
    """Whether it is added to the matrix of the fit."""
    use_thcovmat_in_sampling: Flag = True
    """Whether it is added to the matrix that data replicas are drawn with."""

    @property
    def used(self) -> bool:
        """Whether there is such a matrix and it counts."""
        return self.user_covmat_path is not None and (self.use_thcovmat_in_fitting or self.use_thcovmat_in_sampling)


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
    others all are in one group. Without both keys that is so with diagonal_basis and with a covariance matrix of
    theory; else the groups are experiments."""
    theorycovmatconfig: Annotated[TheoryCovmatConfig | None, BeforeValidator(lambda value: value or None)] = None
    """A covariance matrix of theory."""
