"""Reading a runcard's YAML together with the place of everything in it.

YAML 1.2 as NNPDF writes it: `1e3` is a number, `yes` is text. Only plain data come out of a file: no tags, no objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from hyperparton.errors import Fault, RuncardError, shortened

__all__ = ["Document", "KeyPath", "dotted", "load_document", "parse_document"]

#: where something is: keys and places in lists, from the root
KeyPath = tuple[str | int, ...]

#: NNPDF's own cards of a global fit have 30 kB; parsing takes a second per 100 kB
_LARGEST = 1_000_000
_DEEPEST = 40
_MOST_NODES = 200_000

#: digits; Python converts no longer ones
_LONGEST_NUMBER = 4300

_CORE = "tag:yaml.org,2002:"
#: what YAML 1.2's core schema has
_SCALARS = {f"{_CORE}{name}" for name in ("str", "int", "float", "bool", "null")}
_HOLDERS = {f"{_CORE}{name}" for name in ("map", "seq")}
#: what is text to it: dates and `=`
_TEXTS = {f"{_CORE}timestamp", f"{_CORE}value"}


@dataclass(frozen=True)
class Document:
    """The content of a YAML file as dictionaries, lists and scalars, with lines and columns that count from 1."""

    content: dict[str, Any]
    file: Path | None
    text: str = field(repr=False)
    values: Mapping[KeyPath, tuple[int, int]] = field(repr=False)
    """path -> where its value begins"""
    keys: Mapping[KeyPath, tuple[int, int]] = field(repr=False)
    """path -> where its key stands; the value where it has none (in lists)"""
    faults: tuple[Fault, ...] = ()
    """what is wrong with single entries (a key given twice, a tag), whose values are left out of `content`"""
    moved: Mapping[KeyPath, KeyPath] = field(default_factory=dict, repr=False)
    """path in `content` -> where the file has it, for what `content` has in another place"""

    def fault(
        self, path: KeyPath, message: str, given: str | None = None, accepted: str | None = None, of_key: bool = False
    ) -> Fault:
        """A fault at `path`, or at the nearest thing around it that the file has.

        With `of_key` it is the key itself that is at fault, not its value.
        """
        path = self._in_file(path)
        places, there = self.keys if of_key else self.values, path
        while there and there not in places:
            there = there[:-1]
        line, column = places.get(there, (None, None))
        return Fault(message, dotted(path), given, accepted, self.file, line, column)

    def _in_file(self, path: KeyPath) -> KeyPath:
        for length in range(len(path), 0, -1):
            if path[:length] in self.moved:
                return (*self.moved[path[:length]], *path[length:])
        return path


def dotted(path: KeyPath) -> str:
    """``('kfold', 'partitions', 0, 'datasets')`` as ``kfold.partitions[0].datasets``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{shortened(part)}"
    return text


def load_document(path: str | Path) -> Document:
    """Read a file; raises RuncardError if it is not there, too large, not text or not YAML with keys at its root."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)  # a device may have no end
        if len(content) > _LARGEST:
            size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "more than 1 MB"
            raise RuncardError([Fault("this is no runcard", given=size, accepted="at most 1 MB of YAML", file=path)])
        text = content.decode("utf-8-sig")
    except OSError as fault:
        raise RuncardError([Fault(f"cannot be read: {fault.strerror}", file=path)]) from fault
    except UnicodeDecodeError as fault:
        message = f"is not text in UTF-8: byte {fault.start + 1} is {fault.object[fault.start]:#04x}"
        before = fault.object[: fault.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise RuncardError([Fault(message, file=path, line=line, column=column)]) from fault
    return parse_document(text, path)


def parse_document(text: str, file: Path | None = None) -> Document:
    """The document of YAML text; `file` is what faults name. Raises RuncardError as `load_document` does."""
    return _Reader(text, file).document()


class _Composer(Composer):
    """Refuses what is nested too deeply as soon as it is met, at its place."""

    _level = 0

    def compose_node(self, parent: Any, index: int) -> Any:
        self._level += 1
        if self._level > _DEEPEST + 1:
            raise ComposerError(problem=_TOO_DEEP, problem_mark=self.parser.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


_TOO_DEEP = f"it is more than {_DEEPEST} levels deep"


class _Reader:
    """Turns YAML's nodes into plain data, noting where each comes from and what cannot be used."""

    def __init__(self, text: str, file: Path | None) -> None:
        self._text, self._file = text, file
        self._yaml = YAML(typ="safe", pure=True)
        self._yaml.Composer = _Composer
        self._count = 0
        self.values: dict[KeyPath, tuple[int, int]] = {}
        self.keys: dict[KeyPath, tuple[int, int]] = {}
        self.faults: list[Fault] = []

    def document(self) -> Document:
        try:
            root = self._yaml.compose(self._text)
            if isinstance(root, MappingNode):
                content = self._build(root, ())
                return Document(content, self._file, self._text, self.values, self.keys, tuple(self.faults))
            given = "nothing" if root is None or not getattr(root, "value", None) else _kind(root)
            line, column = (1, 1) if root is None else _place(root)
            message = "the file must be a list of keys with values"
            fault = Fault(message, given=given, file=self._file, line=line, column=column)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            fault = Fault(f"not YAML: {error.problem or error.context}", file=self._file, line=line, column=column)
        except ReaderError as error:
            before = self._text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            fault = Fault(f"not YAML: {error.reason}", file=self._file, line=line, column=column)
        except Exception as error:  # whatever ruamel makes of a text that is no YAML, such as an AssertionError
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            fault = Fault(f"not YAML: {first}", file=self._file, line=1, column=1)
        raise RuncardError([fault])

    def _fault(self, node: Node, path: KeyPath, message: str, given: str | None = None, accepted: str | None = None):
        line, column = _place(node)
        self.faults.append(Fault(message, dotted(path), given, accepted, self._file, line, column))

    def _build(self, node: Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > _MOST_NODES:
            raise ComposerError(problem=f"it holds more than {_MOST_NODES} entries", problem_mark=node.start_mark)
        if len(path) > _DEEPEST:  # by aliases
            raise ComposerError(problem=_TOO_DEEP, problem_mark=node.start_mark)
        self.values[path] = _place(node)
        self.keys.setdefault(path, self.values[path])
        if isinstance(node, ScalarNode) and not _is_text(node.value):
            self._fault(node, path, "half of a surrogate pair is no character", given=_kind(node))
            return None
        if isinstance(node, ScalarNode) and str(node.tag) in _TEXTS and node.style is None:
            return node.value
        if str(node.tag) not in (_SCALARS if isinstance(node, ScalarNode) else _HOLDERS):
            self._fault(node, path, "tags are not read", given=shortened(str(node.tag).replace(_CORE, "!!")))
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._build(entry, (*path, i)) for i, entry in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) and _is_text(key_node.value) else None
            if key == "<<":
                merged = {**self._merged(value_node, path), **merged}
            elif key is None:
                self._fault(key_node, path, "a key is text", given=_kind(key_node))
            elif key in built:
                first, _ = self.keys[(*path, key)]
                self._fault(key_node, (*path, key), f"given a second time, first on line {first}")
            else:
                self.keys[(*path, key)] = _place(key_node)
                built[key] = self._build(value_node, (*path, key))
        return {**merged, **built}

    def _merged(self, node: Node, path: KeyPath) -> dict[str, Any]:
        """What `<<: *anchor` brings; of several the first goes before."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                self._fault(source, path, "`<<` merges keys with values", given=_kind(source))
                continue
            merged = {**self._mapping(source, path), **merged}
        return merged

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        try:
            value = self._yaml.constructor.construct_object(node)
            str(value)  # of a hexadecimal number with thousands of digits Python makes no text
            return value
        except Exception as error:  # each constructor of ruamel raises its own kind
            if isinstance(error, KeyError):  # the spellings of true and false
                why = "not one of true, false"
            elif node.tag.endswith(":int") and len(node.value) > _LONGEST_NUMBER:
                why = f"a whole number of {len(node.value)} digits"
            else:
                why = getattr(error, "problem", None) or str(error)
            self._fault(node, path, f"not a value: {why}", given=shortened(repr(node.value)))
            return None


def _is_text(value: str) -> bool:
    """Whether it can be written into a file."""
    return not any("\ud800" <= each <= "\udfff" for each in value)


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _kind(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "keys with values"
    return "a list" if isinstance(node, SequenceNode) else shortened(repr(node.value))
