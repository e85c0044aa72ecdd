"""Makes ``data/keys_reference.json``: the keys of a runcard that n3fit and vp-setupfit read.

Runs where the `nnpdf` package (4.1.5) is installed, hyperparton is not needed:

    python tests/oracle/make_keys_reference.py [FILE]

A key is what an action of n3fit or of vp-setupfit asks for, itself or by the resources that it needs, and what nobody
produces: validphys then takes it from the card.  Which resources an action needs follows from the names of arguments.
Beside these are keys of sections, as the functions that read them name them.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from n3fit.hyper_optimization import hyper_scan, rewards
from n3fit.scripts import n3fit_exec, vp_setupfit
from reportengine.resourcebuilder import collect

#: what n3fit and vp-setupfit run
FIT = ("performfit", "replicas_training_pseudodata", "replicas_validation_pseudodata", "replicas_pseudodata")
SETUP = (
    "check_t0pdfset", "evolven3fit_checks_action", "fktable_hasher", "n3fit_checks_action", "check_positivity",
    "filter", "datasets_covmat", "theory_covmat_custom", "compute_photon_to_disk", "check_luxset_exists",
    "check_additional_errors", "check_unpolarized_bc",
)  # fmt: skip
#: names that the programs themselves give, on the command line or by where they run
NOT_OF_A_CARD = {"replica", "nreplica", "hyperopt", "output_path", "replica_path", "replicas"}

#: section -> the function that reads its entries with the names of their keys
SECTIONS = {
    "dataset_inputs": "validphys.config:CoreConfig.parse_dataset_input",
    "trial_specs": "n3fit.scripts.n3fit_exec:N3FitConfig.produce_trials",
}
#: how a function names a key of a dictionary
_NAMED = re.compile(r"""(?:\.get\(|\[|\.pop\(|\.setdefault\()\s*["'](\w+)["']|["'](\w+)["']\s+(?:not\s+)?in\s""")


def arguments(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name != "self"]


def found(names: Iterable[str]) -> dict[str, Any]:
    """What the providers have, the first of them before the others."""
    return {k: v for name in reversed(list(names)) for k, v in vars(import_module(name)).items()}


class Reader:
    """Follows what resources need."""

    def __init__(self, config: type, providers: Iterable[str]):
        self.config, self.providers = config, found(providers)
        self.keys: set[str] = set()
        self._seen: set[str] = set()

    def visit(self, name: str) -> None:
        if name in self._seen:
            return
        self._seen.add(name)
        parse, produce = (getattr(self.config, f"{kind}_{name}", None) for kind in ("parse", "produce"))
        if parse is not None:
            self.keys.add(name)
            self._visit_all(arguments(parse)[1:])
        if produce is not None:
            self._visit_all(arguments(produce))
            self._visit_all(self._chosen(produce))
        if parse is not None or produce is not None:
            return
        provider = self.providers.get(name)
        if isinstance(provider, collect):
            inner = provider.function
            self._visit_all([inner if isinstance(inner, str) else inner.__name__])
            self._visit_all(part if isinstance(part, str) else part[0] for part in provider.fuzzyspec)
        elif callable(provider) and not inspect.isclass(provider):
            self._visit_all(arguments(provider))
        else:
            self.keys.add(name)
            # a list is parsed entry by entry: `dataset_inputs` by `parse_dataset_input`
            if name.endswith("s") and getattr(self.config, f"parse_{name[:-1]}", None) is not None:
                self._visit_all(arguments(getattr(self.config, f"parse_{name[:-1]}"))[1:])

    def _visit_all(self, names: Iterable[str]) -> None:
        for name in names:
            self.visit(name)

    def _chosen(self, produce: Any) -> Iterator[str]:
        """The providers between which a resource chooses, by the names in its code."""
        code = inspect.getsource(inspect.unwrap(produce))
        code = code.split('"""')[-1]
        for name in re.findall(r"\b\w+\.(\w+)\b", code):
            if callable(self.providers.get(name)):
                yield name


def read_in(place: str) -> set[str]:
    """The names of keys in the code of a function, and of the arguments of a class's methods."""
    module, _, path = place.partition(":")
    there: Any = import_module(module)
    for part in path.split("."):
        there = getattr(there, part)
    code = textwrap.dedent(inspect.getsource(inspect.unwrap(there)))
    return {one or other for one, other in _NAMED.findall(code)}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data" / "keys_reference.json"
    setup = getattr(vp_setupfit, "SetupFitConfig", n3fit_exec.N3FitConfig)
    readers = Reader(n3fit_exec.N3FitConfig, n3fit_exec.N3FIT_PROVIDERS), Reader(setup, vp_setupfit.SETUPFIT_PROVIDERS)
    for reader, actions in zip(readers, (FIT, SETUP), strict=True):
        for action in actions:
            reader.visit(action)
    resources = {key for reader in readers for key in reader.keys} - NOT_OF_A_CARD
    sections = {name: sorted(read_in(place)) for name, place in SECTIONS.items()}
    for name in ("stopping", "positivity", "architecture"):
        sections[f"hyperscan_config.{name}"] = sorted(arguments(getattr(hyper_scan.HyperScanner, name)))
    sections["kfold"] = sorted(arguments(rewards.HyperLoss.__init__))
    target.write_text(json.dumps({"keys": sorted(resources), "sections": sections}, indent=1) + "\n", encoding="utf-8")
    print(len(resources), "keys", {k: len(v) for k, v in sections.items()})


if __name__ == "__main__":
    main()
