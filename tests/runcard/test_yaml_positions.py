"""YAML with positions: values as YAML 1.2 has them, places counted by hand, files that are no runcards."""

import pytest

from hyperparton.errors import RuncardError
from hyperparton.runcard.yaml_positions import dotted, load_document, parse_document

TEXT = """\
description: a card
number: 1e3
theory: {theoryid: 40_000_000, names: [a, b]}
nested:
  list:
  - {key: yes, other: no value}
  - false
  empty:
base: &base {one: 1, two: 2}
merged:
  <<: *base
  two: 3
"""


def test_values():
    content = parse_document(TEXT).content
    assert content["number"] == 1000.0
    assert isinstance(content["number"], float)
    assert content["theory"] == {"theoryid": 40_000_000, "names": ["a", "b"]}
    assert content["nested"] == {"list": [{"key": "yes", "other": "no value"}, False], "empty": None}
    assert content["merged"] == {"one": 1, "two": 3}


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("number",), (2, 9), (2, 1)),
        (("theory", "theoryid"), (3, 20), (3, 10)),
        (("theory", "names", 1), (3, 43), (3, 43)),
        (("nested", "list", 0, "other"), (6, 23), (6, 16)),
        (("nested", "list", 1), (7, 5), (7, 5)),
    ],
)
def test_places(path, value, key):
    document = parse_document(TEXT)
    assert document.values[path] == value
    assert document.keys[path] == key


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2020-01-01", "2020-01-01"),
        ("2020-13-45", "2020-13-45"),
        ("no", "no"),
        ("on", "on"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1:20:30", "1:20:30"),
        ("=", "="),
        ("~", None),
        ("-.Inf", float("-inf")),
    ],
)
def test_scalars_of_yaml_1_2(written, value):
    assert parse_document(f"\ufeffa: {written}\n").content == {"a": value}


def test_long_names_are_shortened():
    (fault,) = parse_document(f"? {'k' * 100_000}\n: !!bool {'x' * 100_000}\n").faults
    assert "kkk..." in str(fault)
    assert "xxx..." in str(fault)
    assert len(str(fault)) < 300


def test_a_message_is_one_line_that_can_be_printed():
    (fault,) = parse_document('"a\\nb": !!bool x\n').faults
    assert str(fault).isprintable()
    assert "a\\nb" in str(fault)


def test_dotted():
    assert dotted(("kfold", "partitions", 0, "datasets", 2)) == "kfold.partitions[0].datasets[2]"
    assert dotted(()) == ""


def test_fault_of_something_absent_is_at_what_is_around_it():
    fault = parse_document(TEXT).fault(("nested", "missing"), "is missing")
    assert (fault.line, fault.column, fault.path) == (5, 3, "nested.missing")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "given nothing"),
        ("# only a comment\n", "given nothing"),
        ("just text", "given 'just text'"),
        ("- 1\n- 2\n", "given a list"),
        ("a: [1, 2\nb: 3\n", "2:2: not YAML"),
        ("a:\n\t- b\n", "2:1: not YAML"),
        ("a: *nowhere\n", "1:4: not YAML"),
        ("a: 1\n---\nb: 2\n", "2:1: not YAML"),
        ("a: \x07bell\n", "1:4: not YAML"),
        ("a: 1\nbb: \x00x\n", "2:5: not YAML"),
        ("x: 1\na: " + "[" * 60 + "]" * 60 + "\n", "2:44: not YAML: it is more than 40 levels deep"),
        ("a:\n" + "".join(" " * i + "a:\n" for i in range(1, 200)), "41:41: not YAML: it is more than 40 levels"),
        ("a: &a [*a]\n", "levels deep"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "levels deep"),
        ("a: " + "[" * 5000 + "\n", "not YAML"),
    ],
)
def test_texts_that_are_no_card(text, told):
    with pytest.raises(RuncardError, match=told.replace("[", r"\[")):
        parse_document(text)


def test_aliases_do_not_multiply():
    """Nine levels of ten references each: a billion entries if they were all built."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(RuncardError, match="more than 200000 entries"):
        parse_document("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: a: given a second time, first on line 1"),
        ("a: !!python/object:os.system x\n", "1:4: a: tags are not read, given !!python/object:os.system"),
        ("b: 1\na: !!bool maybe\n", "2:4: a: not a value: not one of true, false, given 'maybe'"),
        ("a: " + "1" * 5000 + "\n", "1:4: a: not a value: a whole number of 5000 digits, given '11111"),
        ("a: !!binary aGVsbG8=\n", "1:4: a: tags are not read, given !!binary"),
        ('a: "\\ud800"\n', "1:4: a: half of a surrogate pair is no character, given '\\ud800'"),
        ('"\\ud800": 1\n', "1:1: a key is text, given '\\ud800'"),
        ("a: !!set {x, y}\n", "1:4: a: tags are not read, given !!set"),
        ("a: !!str {b: 1}\n", "1:4: a: tags are not read, given !!str"),
        ("a: !own {b: 1}\n", "1:4: a: tags are not read, given !own"),
        ("? {x: 1}\n: 2\n", "a key is text"),
        ("a: {<<: 3}\n", "`<<` merges keys"),
    ],
)
def test_faulty_entries(text, told):
    faults = parse_document(text).faults
    assert any(told in str(fault) for fault in faults), faults


def test_files(tmp_path):
    with pytest.raises(RuncardError, match=r"nothing\.yml: cannot be read: No such file"):
        load_document(tmp_path / "nothing.yml")
    with pytest.raises(RuncardError, match="cannot be read: Is a directory"):
        load_document(tmp_path)
    binary = tmp_path / "binary.yml"
    binary.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(RuncardError, match="byte 4 is 0xff"):
        load_document(binary)
    huge = tmp_path / "huge.yml"
    huge.write_text("a: 1\n" * 300_000)
    with pytest.raises(RuncardError, match=r"/dev/zero: .* given more than 1 MB, accepted: at most 1 MB"):
        load_document("/dev/zero")
    with pytest.raises(RuncardError, match=r"given 1.5 MB, accepted: at most 1 MB"):
        load_document(huge)
