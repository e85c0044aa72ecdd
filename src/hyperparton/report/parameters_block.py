"""A trial's parameters as text to paste into a runcard."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

__all__ = ["parameters_block"]


def parameters_block(parameters: Mapping[str, Any]) -> str:
    """YAML of `parameters:`, as an n3fit runcard has it."""
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.dump(CommentedMap({"parameters": _block(parameters)}), text)
    return text.getvalue()


def _block(value: Any) -> Any:
    if isinstance(value, Mapping):
        return CommentedMap({str(key): _block(entry) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_block(entry) for entry in value)
        listed.fa.set_flow_style()
        return listed
    return value
