"""Makes ``data/data_reference.npz``: what validphys says of the data of ``tests/data/dis_fit.yml``.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_data_reference.py [--theories FOLDER] [--lhapdf FOLDER] [--out FILE]

FOLDER default to those that hyperparton ships.  The matrices are 3,089 x 3,089, so what is kept of them is the
diagonal, a few rows, products with fixed random vectors and the eigenvalues of the correlations.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
REPLICAS = (1, 2, 3)
ROWS = (0, 120, 200, 400, 900, 1400, 1850, 2200, 2900, 3088)


def vectors(ndata: int) -> np.ndarray:
    """(6, dat) fixed random vectors."""
    return np.random.default_rng(20240501).normal(size=(6, ndata))


def toy_pdf(x: np.ndarray) -> np.ndarray:
    """(14, x) a made-up PDF in the evolution basis, far from any fit."""
    k = np.arange(1, 15)[:, None]
    return (0.3 + 0.1 * k) * x ** (0.05 * k) * (1 - x) ** (2 + 0.2 * k) * (1 + 0.5 * np.sin(k * x))


def toy_fracs(ndata: int) -> list[float]:
    """Training fractions that try all cases: none of a set's points, a part, all of them."""
    return [(0.75, 0.02, 1.0, 0.5, 0.001)[place % 5] for place in range(ndata)]


def summary(prefix: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    sigma = np.sqrt(np.diag(matrix))
    return {
        f"{prefix}_diagonal": np.diag(matrix),
        f"{prefix}_rows": matrix[list(ROWS)],
        f"{prefix}_products": vectors(len(matrix)) @ matrix,
        f"{prefix}_eigenvalues": np.linalg.eigvalsh(matrix / np.outer(sigma, sigma)),
    }


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theories", type=Path, default=ROOT / "src/hyperparton/theories")
    parser.add_argument("--lhapdf", type=Path, default=ROOT / "src/hyperparton/lhapdf")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "data_reference.npz")
    return parser.parse_args()


def prepare_environment(arguments: argparse.Namespace) -> None:
    """Before validphys is imported: it reads these once."""
    share = tempfile.mkdtemp()
    profile = Path(share) / "profile.yaml"
    profile.write_text(f"nnpdf_share: {share}\ntheories_path: {arguments.theories.resolve()}\n", encoding="utf-8")
    os.environ["NNPDF_PROFILE_PATH"] = str(profile)
    os.environ["LHAPDF_DATA_PATH"] = str(arguments.lhapdf.resolve())


def chi2s(residuals: np.ndarray, matrix: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Of all data, then of each set alone."""
    from validphys.calcutils import calc_chi2
    from validphys.covmats import sqrt_covmat

    blocks = [slice(0, len(residuals)), *(slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True))]
    return np.array([calc_chi2(sqrt_covmat(matrix[rows, rows]), residuals[rows]) for rows in blocks])


def toy_predictions(dataset) -> np.ndarray:
    """Of a data set with `toy_pdf`, by validphys's convolution and operations."""
    from validphys.convolution import OP, _gv_dis_predictions

    def values(vmat, xmat, qmat):
        names = ["photon", "singlet", "g", "V", "V3", "V8", "V15", "V24", "V35", "T3", "T8", "T15", "T24", "T35"]
        from validphys.pdfbases import evolution

        order = list(evolution.to_known_elements(names))
        chosen = [order.index(flavour) for flavour in vmat]
        return toy_pdf(np.asarray(xmat))[chosen][None, :, :, None]

    parts = [_gv_dis_predictions(fk.load_with_cuts(dataset.cuts), values) for fk in dataset.fkspecs]
    return OP[dataset.op](*[part.to_numpy().ravel() for part in parts])


def cuts_of_all_rules() -> dict[str, np.ndarray]:
    """Points that pass NNPDF's default cuts of every set that one of the rules names, at NLO and at NNLO."""
    from validphys.filters import Rule, default_filter_rules_input, default_filter_settings_input, get_cuts_for_dataset
    from validphys.loader import DataNotFoundError, Loader

    loader, defaults, kept = Loader(), default_filter_settings_input(), {}
    sources = default_filter_rules_input()
    for order in (1, 2):
        theory = {"PTO": order, "FNS": "FONLL-C", "IC": 1, "ID": order}
        rules = tuple(
            Rule(initial_data=source, defaults=defaults, theory_parameters=theory, loader=loader)
            for source in sources
            if source.dataset is None or not source.dataset.startswith("DYE605_") or "PXSEC" in source.dataset
        )
        for name in sorted({source.dataset for source in sources if source.dataset}):
            for variant in (None, "legacy", "legacy_theory", "legacy_dw"):
                try:
                    data = loader.check_commondata(name, variant=variant)
                    points = get_cuts_for_dataset(data, rules)
                except (DataNotFoundError, FileNotFoundError, ValueError):
                    continue
                kept[f"rules{order}|{data.name}|{variant or ''}"] = np.array(points, dtype=np.int16)
                break
    return kept


def masks(groups: list, fracs: dict[str, float], seed: int) -> list[np.ndarray]:
    """Standard training masks of all groups, in the order of the groups, one array per data set."""
    from validphys.n3fit_data import standard_masks

    made = []
    for group in groups:
        for dataset in group.datasets:
            dataset.frac = fracs[dataset.name]
        made += standard_masks(group, seed).tr_masks
    return made


def replicas(groups: list, inputs: dict, mcseed: int, separate: bool = False) -> np.ndarray:
    """(rep, dat) data replicas, group after group."""
    from validphys.api import API
    from validphys.n3fit_data import group_replica_mcseed, replica_mcseed
    from validphys.pseudodata import central_values_array, group_multiplicative_errors, make_replica

    blocks = []
    for group in groups:
        names = {dataset.name for dataset in group.datasets}
        part = dict(inputs, dataset_inputs=[entry for entry in inputs["dataset_inputs"] if entry["dataset"] in names])
        data = API.dataset_inputs_loaded_cd_with_cuts(**part)
        covmat = (API.dataset_inputs_t0_exp_covmat_separate if separate else API.dataset_inputs_t0_exp_covmat)(**part)
        errors = group_multiplicative_errors(data, sep_mult=separate)
        central = central_values_array(data)
        blocks.append(
            [
                make_replica(central, group_replica_mcseed(seed, data), covmat, errors, None, separate)
                for seed in (replica_mcseed(replica, mcseed, True) for replica in REPLICAS[:2])
            ]
        )
    return np.concatenate(blocks, axis=1)


def main() -> None:
    arguments = read_arguments()
    prepare_environment(arguments)
    from ruamel.yaml import YAML
    from validphys.api import API
    from validphys.n3fit_data import diagonal_masks, kfold_masks, replica_mcseed, replica_nnseed, replica_trvlseed

    def read(name: str) -> dict:
        return YAML(typ="safe").load((ROOT / "tests/data" / name).read_text(encoding="utf-8"))

    card = read("dis_fit.yml")
    inputs = {
        "dataset_inputs": card["dataset_inputs"],
        "theoryid": card["theory"]["theoryid"],
        "use_cuts": "internal",
        "use_t0": True,
        "added_filter_rules": card["added_filter_rules"],
        **card["datacuts"],
    }
    data = API.data(**inputs)
    together = API.data(**inputs, group_name="ALL")
    special = API.posdatasets(**inputs, positivity=card["positivity"])
    special += API.integdatasets(**inputs, integrability=card["integrability"])
    ends = np.cumsum([len(dataset.cuts.load()) for dataset in data.datasets])

    out: dict[str, np.ndarray] = {"names": np.array([dataset.name for dataset in data.datasets])}
    out["special_names"] = np.array([dataset.name for dataset in special])
    for dataset in (*data.datasets, *special):
        out[f"kept_{dataset.name}"] = np.array(dataset.cuts.load(), dtype=np.int16)

    central = np.concatenate([each.get_cv() for each in API.dataset_inputs_loaded_cd_with_cuts(**inputs)])
    t0 = API.dataset_inputs_t0_covmat_from_systematics(**inputs)
    experimental = API.dataset_inputs_covmat_from_systematics(**inputs)
    predictions = np.concatenate(API.dataset_inputs_t0_predictions(**inputs))
    out |= {"central": central, "t0_predictions": predictions}
    out |= summary("t0", t0) | summary("experimental", experimental)
    out["toy_predictions"] = np.concatenate([toy_predictions(dataset) for dataset in (*data.datasets, *special)])
    out["chi2_t0"] = chi2s(predictions - central, t0, ends)
    out["chi2_experimental"] = chi2s(predictions - central, experimental, ends)

    seeds = [replica_trvlseed(replica, card["trvlseed"]) for replica in REPLICAS]
    out["trvlseeds"] = np.array(seeds)
    out["nnseeds"] = np.array([replica_nnseed(replica, card["nnseed"]) for replica in REPLICAS])
    out["mcseeds"] = np.array([replica_mcseed(replica, card["mcseed"], True) for replica in REPLICAS])
    out["diagonal_masks"] = np.array([diagonal_masks(together, seed, t0).tr_masks[0] for seed in seeds])
    out["diagonal_masks_half"] = np.array([diagonal_masks(together, seed, t0, 0.5).tr_masks[0] for seed in seeds])

    groups = API.groups_data(**inputs, metadata_group="experiment")
    fracs = dict(zip(out["names"], toy_fracs(len(out["names"])), strict=True))
    out["grouped_names"] = np.array([dataset.name for group in groups for dataset in group.datasets])
    out["group_names"] = np.array([group.name for group in groups for _ in group.datasets])
    out["standard_masks"] = np.array([np.concatenate(masks(groups, fracs, seed)) for seed in seeds])
    partitions = read("dis_scan.yml")["kfold"]["partitions"]
    out["kfold_masks"] = np.array(kfold_masks([*partitions, {"datasets": []}], data))

    out["replicas"] = replicas([together], inputs, card["mcseed"])
    out["replicas_separate"] = replicas([together], inputs, card["mcseed"], separate=True)
    out["replicas_grouped"] = replicas(groups, inputs, card["mcseed"])
    out |= cuts_of_all_rules()
    np.savez_compressed(arguments.out, **out)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB, {len(central)} points")


if __name__ == "__main__":
    main()
