"""The JSON Schema: valid itself, accepting what `check` accepts, refusing plain slips, complete."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from hyperparton.cli.check import check
from hyperparton.runcard.json_schema import json_schema

ROOT = Path(__file__).parent.parent.parent
CARDS = [ROOT / "examples" / "dis.yml", ROOT / "examples" / "dis_small.yml", *(ROOT / "tests" / "data").glob("*.yml")]


@pytest.fixture(scope="module")
def validator():
    Draft202012Validator.check_schema(json_schema())
    return Draft202012Validator(json_schema())


def load(path):
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(path.read_text())))


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.name)
def test_faultless_cards_are_valid(validator, path):
    assert [error.message for error in validator.iter_errors(load(path))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("fitting", "fitbasis"), "EVOLL"),
        (("parameters", "optimizer", "optimizer_name"), "Adma"),
        (("parameters", "nodes"), [1]),
        (("hyperscan_config", "architecture", "n_layer"), [1]),
        (("hyperscan_config", "optimizer", 0, "learning_rate"), {"min": 1, "max": 2, "sampling": "linear"}),
        (("kfold", "loss_type"), "chi"),
        (("dataset_inputs", 0, "frac"), "all"),
    ],
)
def test_slips_are_refused(validator, path, value):
    card = load(CARDS[1])
    place = card
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    errors = list(validator.iter_errors(card))
    assert errors
    assert {error.absolute_path[0] for error in errors} == {path[0]}


def test_every_key_has_its_meaning():
    schema = json_schema()
    for name, section in {"Runcard": schema, **schema["$defs"]}.items():
        for key, entry in section["properties"].items():
            assert re.fullmatch(r"(?s).+\.", entry["description"]), (name, key)


def test_the_command_line_prints_it():
    run = CliRunner().invoke(check, ["--schema"])
    assert json.loads(run.output) == json_schema()
