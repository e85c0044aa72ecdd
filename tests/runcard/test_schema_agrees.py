"""The JSON Schema and the models accept the same: what one refuses, the other refuses.

Only rules between keys ("conflict": two bounds in the wrong order, layers of different numbers) are the models' alone.
"""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from ruamel.yaml import YAML

from hyperparton.runcard.card import Runcard, SharedRuncard
from hyperparton.runcard.check import examine
from hyperparton.runcard.field_types import Section
from hyperparton.runcard.json_schema import json_schema

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "dis_small.yml"
SCHEMA = json_schema()
CARD = Draft202012Validator(SCHEMA)

#: values of every kind, near the bounds that keys have, and names that some key knows; no numbers that a computer reads
#: as infinity, which a schema cannot tell from others
NUMBERS = (-1, 0, 1, 2, 8, 40, 4096, 4097, 65536, 2**31, 2**32, -0.5, 0.0, 1e-6, 0.5, 1.0, 1.5, 1e1, 1e3, 1e300)
TEXTS = (
    "",
    " ",
    "x",
    "tanh",
    "TANH",
    "Adam",
    "ALL",
    "msr",
    "Vsr",
    "all",
    "EVOL",
    "uniform",
    "log",
    "40_0",
    "_",
    "1e3",
    "-4",
)
PLAIN = st.sampled_from((*NUMBERS, *TEXTS, None, True, False))
ANYTHING = (
    PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.sampled_from(("min", "max", "a")), PLAIN, max_size=3)
)


def subclasses(model):
    return {model.__name__: model} | {k: v for each in model.__subclasses__() for k, v in subclasses(each).items()}


MODELS = {name: subclasses(Section)[name] for name in SCHEMA["$defs"]}


def mostly(sound, other):
    return st.sampled_from(range(12)).flatmap(lambda k: other if k == 0 else sound)


@cache
def values_of(name):
    """Values of a section: its keys or some of them, each mostly as the schema has it, and now and then a wrong key."""
    section = SCHEMA["$defs"][name]
    keys = {key: values(json.dumps(entry)) for key, entry in section["properties"].items()}
    needed = {key: keys[key] for key in section.get("required", ())}
    optional = {key: value for key, value in keys.items() if key not in needed}
    sound = st.fixed_dictionaries(needed, optional=optional)
    key = st.sampled_from([*keys, "a"])
    return mostly(sound, st.builds(lambda content, key, value: {**content, key: value}, sound, key, ANYTHING))


@cache
def values(text):
    """Mostly what a part of the schema accepts; else the same in another spelling, a bound of it, or anything."""
    entry = json.loads(text)
    bounds = [value for part in (entry, *entry.get("anyOf", ())) for key, value in part.items() if "imum" in key]
    return mostly(sound(entry), st.one_of(sound(entry).map(spelt), st.sampled_from([*bounds, None]), ANYTHING))


def sound(entry):
    """What a part of the schema accepts."""
    if "$ref" in entry:
        return st.deferred(lambda: values_of(entry["$ref"].rpartition("/")[2]))
    if "anyOf" in entry:
        return st.one_of(*map(sound, entry["anyOf"]))
    kind = entry.get("type")
    if kind == "array" and "prefixItems" in entry:
        return st.tuples(*(sound(item) for item in entry["prefixItems"])).map(sorted)
    if kind == "array":
        return st.lists(sound(entry["items"]), min_size=entry.get("minItems", 0), max_size=3)
    if kind == "object" and "properties" in entry:
        return st.fixed_dictionaries({key: sound(value) for key, value in entry["properties"].items()})
    if kind == "object" and isinstance(entry.get("additionalProperties"), dict):
        return st.dictionaries(st.just("a"), sound(entry["additionalProperties"]), max_size=2)
    if kind == "object" or not {"type", "enum", "const"} & set(entry):
        return ANYTHING
    plain = (*NUMBERS, *TEXTS, None, True, False, *entry.get("enum", ()))
    return st.sampled_from([value for value in plain if Draft202012Validator(entry).is_valid(value)])


def spelt(value):
    """The same in another spelling: 10 as 1e1, a text in other capitals, one entry for a list of one."""
    if isinstance(value, str):
        return value.swapcase()
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    return float(value) if type(value) is int else [value]


def kinds_of_errors(model, content):
    try:
        model.model_validate(content)
    except ValidationError as error:
        return {each["type"] for each in error.errors(include_url=False)}
    return set()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_section(name):
    validator = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})
    found = set()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(values_of(name))
    def agree(content):
        errors, valid = kinds_of_errors(MODELS[name], content), validator.is_valid(content)
        assert valid if not errors else not valid or errors == {"conflict"}, errors
        found.add(valid)

    agree()
    assert found == {True, False}, "cards of one kind only were generated"


def places(node, path=()):
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def written():
    return YAML(typ="safe", pure=True).load(EXAMPLE.read_text())


@st.composite
def cards(draw):
    """The example with one or two of its entries deleted, replaced, or taken from the schema."""
    card = written()
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from([path for path in places(card) if path]))
        holder = card
        for key in path[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(("delete", "replace", "spell", "section")))
        if change == "delete":
            del holder[path[-1]]
        elif change == "section" and path[0] in SCHEMA["properties"]:
            card[path[0]] = draw(values(json.dumps(SCHEMA["properties"][path[0]])))
        else:
            holder[path[-1]] = spelt(copy.deepcopy(holder[path[-1]])) if change == "spell" else draw(ANYTHING)
    return card


def test_whole_cards(tmp_path):
    path, found = tmp_path / "card.yml", set()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(cards())
    def agree(content):
        model = SharedRuncard if content.get("trial_specs") else Runcard
        sections = {key: value for key, value in content.items() if key in model.model_fields}
        errors, valid = kinds_of_errors(model, sections), CARD.is_valid(content)
        assert valid if not errors else not valid or errors == {"conflict"}, errors
        path.write_text(json.dumps(content))
        card, faults = examine(path)
        assert faults if errors else card is not None
        found.add(valid)

    agree()
    assert found == {True, False}, "cards of one kind only were generated"
