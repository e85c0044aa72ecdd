"""Pages of the manual that are generated, and the order of all pages.

The runcard reference comes from the JSON Schema and `runcard-examples.yml`, `house.md` from CONTRIBUTING.md. A page
that is not in the order below is an error, by mkdocs' own check of `nav`. Numbers that benchmarks measured come from
their files, see `benchmarks/record.py`.
"""

import json
import re
import sys
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "src"))

from hyperparton.runcard.json_schema import json_schema  # noqa: E402 - out of this checkout

#: title -> page
ORDER = (
    ("hyperparton", "index.md"),
    ("A first scan in five minutes", "first-scan.md"),
    ("A scan of global data", "global-scan.md"),
    ("Looking at a scan", "report.md"),
    ("A figure for a paper", "paper.md"),
    ("From an n3fit scan to this one", "from-n3fit.md"),
    ("Glossary", "glossary.md"),
    ("The runcard", "runcard.md"),
    ("The best methodology", "confirm.md"),
    ("Shorter scans", "shorter-scans.md"),
    ("Engines", "engines.md"),
    ("Scanning your own trainer", "own-trainer.md"),
    ("Clusters", "clusters.md"),
    ("Restart and failure", "restart.md"),
    ("The methodology", "methodology.md"),
    ("FK tables", "theory.md"),
    ("Validation", "validation.md"),
    ("Performance", "performance.md"),
    ("Python reference", "python.md"),
    ("How the house is built", "house.md"),
)

#: order and titles of the sections of a runcard
SECTIONS = (
    ("Runcard", "The card"),
    ("DatasetInput", "dataset_inputs"),
    ("DataCuts", "datacuts"),
    ("AddedRule", "added_filter_rules, filter_rules"),
    ("FilterDefaults", "filter_defaults"),
    ("CutsNamespace", "datacuts: cuts_intersection_spec"),
    ("TheoryInput", "theory"),
    ("TheoryCovmatConfig", "theorycovmatconfig"),
    ("Parameters", "parameters"),
    ("SharedParameters", "parameters, beside trial_specs"),
    ("Optimizer", "parameters: optimizer"),
    ("LagrangeOptions", "parameters: positivity, integrability"),
    ("RegularizerArguments", "parameters: regularizer_args"),
    ("Fitting", "fitting"),
    ("BasisElement", "fitting: basis"),
    ("LagrangeSet", "positivity: posdatasets, integrability: integdatasets"),
    ("KFold", "kfold"),
    ("Partition", "kfold: partitions"),
    ("HyperscanConfig", "hyperscan_config"),
    ("Stopping", "hyperscan_config: stopping"),
    ("ScannedOptimizer", "hyperscan_config: optimizer"),
    ("Range", "hyperscan_config: optimizer: a range"),
    ("ScannedLagrange", "hyperscan_config: positivity, integrability"),
    ("Architecture", "hyperscan_config: architecture"),
    ("OwnRange", "hyperscan_config: space"),
    ("TrialSpecs", "trial_specs"),
    ("Override", "trial_specs: override"),
)

HEAD = """# The runcard

A runcard is an NNPDF card: its sections and keys have NNPDF's names. This page comes from the schema by which the
program checks cards. `hyperparton check CARD` lists all faults of a card, each with file, line, column and path. It
names the keys of other programs, which hyperparton does not use. A key that would change the fit and that hyperparton
does not support is a fault.

The JSON Schema is [runcard.schema.json](runcard.schema.json); `hyperparton check --schema` prints it. With this line at
the head of a card, an editor with a YAML language server completes and checks the card:

```yaml
# yaml-language-server: $schema=runcard.schema.json
```

A card with `trainer: module:factory` scans [a trainer of your own](own-trainer.md). hyperparton reads only its
`parameters` and `hyperscan_config: space`; all other keys are the trainer's.
"""


def on_files(files, config):
    schema = json_schema()
    files.append(File.generated(config, "runcard.md", content=runcard_page(schema)))
    files.append(File.generated(config, "runcard.schema.json", content=json.dumps(schema, indent=2)))
    house = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("# Contributing", "# How the house is built", 1)
    )
    files.append(File.generated(config, "house.md", content=house.replace("\n## How the house is built\n", "\n", 1)))
    present = {file.src_uri for file in files}
    config["nav"] = [{title: page} for title, page in ORDER if page in present]
    return files


#: `{{ FILE }}`, `{{ FILE: place.of.a.number }}` or `{{ FILE: place.of.a.number | format }}`; at the place may be
#: rows of a table, each a list of texts
MEASURED = re.compile(r"\{\{ *([\w-]+) *(?:: *([\w.-]+) *(?:\| *([^} ]+) *)?)?\}\}")


def on_page_markdown(markdown, page, **_):
    return with_numbers(markdown, page.file.src_uri)


def with_numbers(text, page, data=ROOT / "benchmarks" / "data"):
    """The text of a page with the numbers that benchmarks have written; PluginError for one that is not there."""

    def measured(found):
        name, place, form = found.groups()
        path = data / f"{name}.json"
        if not path.is_file():
            raise PluginError(f"docs/{page}: {found[0]} needs {path.name} of a benchmark, and it is not there")
        record = json.loads(path.read_text(encoding="utf-8"))
        if place is None:
            note = f"; {record['note']}" if record["note"] else ""
            return f"Measured on {record['date']} by `{record['command']}` ({record['machine']}{note})."
        value = record["numbers"]
        for key in place.split("."):
            if not isinstance(value, dict) or key not in value:
                raise PluginError(f"docs/{page}: {path.name} has no number {place!r}")
            value = value[key]
        if isinstance(value, list):
            return "\n".join(f"| {' | '.join(row)} |" for row in value)
        try:
            return format(value, form or "")
        except (TypeError, ValueError) as fault:
            raise PluginError(f"docs/{page}: {found[0]}: {fault}") from fault

    return MEASURED.sub(measured, text)


def runcard_page(schema):
    """The reference: a table for each section, and an example of each of its keys."""
    examples = runcard_examples()
    if without := keys_without_example(schema, examples):
        raise PluginError(f"docs/runcard-examples.yml has no example of {', '.join(without)}")
    sections = {"Runcard": schema, **schema["$defs"]}
    # sections that were added since stand at the end, by their own names
    titles = dict(SECTIONS) | {name: name for name in sections if name not in dict(SECTIONS)}
    parts = [HEAD]
    for name, title in titles.items():
        section = sections[name]
        rows = ["| key | accepted | default | meaning |", "|---|---|---|---|"]
        for key, entry in section["properties"].items():
            needed = key in section.get("required", ())
            default = "needed" if needed else _default(entry)
            rows.append(f"| `{key}` | {_accepted(entry, titles)} | {default} | {entry['description']} |")
        blocks = "".join(f"\n```yaml\n{text}```\n" for text in examples[name])
        parts.append(f"## {title}\n\n" + "\n".join(rows) + f"\n{blocks}")
    return "\n".join(parts)


def runcard_examples():
    """Section of the schema -> pieces of cards, as text, that show its keys."""
    return YAML(typ="safe", pure=True).load((ROOT / "docs" / "runcard-examples.yml").read_text(encoding="utf-8"))


def keys_without_example(schema, examples):
    """The keys of the schema, each as `Section.key`, that no example of their section has."""
    missing = []
    for name, section in {"Runcard": schema, **schema["$defs"]}.items():
        shown = {key for text in examples.get(name, ()) for part in parts_of(schema, name, text) for key in part}
        missing += [f"{name}.{key}" for key in section["properties"] if key not in shown]
    return missing


def parts_of(schema, name, text):
    """What a piece of a card, as text, holds where the schema has the section of this name."""
    content = YAML(typ="safe", pure=True).load(text)
    return [content] if name == "Runcard" else list(_found(schema, name, schema, content))


def _found(schema, name, entry, value):
    if "$ref" in entry:
        owner = entry["$ref"].rpartition("/")[2]
        if owner == name and isinstance(value, dict):
            yield value
        entry = schema["$defs"][owner]
    for option in entry.get("anyOf", ()):
        yield from _found(schema, name, option, value)
    if isinstance(value, dict):
        others = entry.get("additionalProperties")
        for key, inner in value.items():
            known = entry.get("properties", {}).get(key, others if isinstance(others, dict) else {})
            yield from _found(schema, name, known, inner)
    for inner in value if isinstance(value, list) else ():
        yield from _found(schema, name, entry.get("items") or {}, inner)


def _default(entry):
    if "default" not in entry or entry["default"] in ([], {}):
        return ""
    value = entry["default"]
    if isinstance(value, dict):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _accepted(entry, titles):
    if "$ref" in entry:
        return f"[section](#{_anchor(titles[entry['$ref'].rpartition('/')[2]])})"
    if "anyOf" in entry:
        options = [option for option in entry["anyOf"] if option.get("type") != "null"]
        # other spellings of what the options before say
        spelt = [option for option in options if not option.get("pattern", "").startswith("^")]
        told = [_accepted(option, titles) for option in spelt]
        return " or ".join(dict.fromkeys(told))
    if "enum" in entry:
        return ", ".join(f"`{name}`" for name in entry["enum"])
    if "const" in entry:
        return f"`{entry['const']}`"
    kind = entry.get("type")
    if kind == "array":
        inner = entry.get("items") or (entry["prefixItems"][0] if entry.get("prefixItems") else {})
        return f"{'pair' if entry.get('maxItems') == 2 else 'list'} of {_accepted(inner, titles)}"
    if kind == "object" and "properties" in entry:
        return f"`{{{', '.join(entry['properties'])}}}`"
    words = {"number": "number", "integer": "whole number", "boolean": "true, false", "string": "text", "object": "map"}
    return words.get(kind, "anything")


def _anchor(title):
    from markdown.extensions.toc import slugify

    return slugify(title, "-")
