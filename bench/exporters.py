"""What Label Studio's own CoNLL-2003 exporter loses and this project's exporter keeps, case by case.

    python -m bench.exporters            prints the table of docs/converters.md
    python -m bench.exporters --write    writes it there

Label Studio exports with ``label_studio_sdk.converter``, which is called here with the same tasks. An entity counts as
kept if the file has one with the same label and the same characters, without whitespace; entities in the file that were
never labelled count as invented.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_studio_sdk.converter.converter import Converter

from converters import read_tasks, write_conll
from label_config import LabelConfig

DOCUMENT = Path(__file__).parents[1] / "docs" / "converters.md"
BEGIN, END = "<!-- bench.exporters begins -->\n", "<!-- bench.exporters ends -->\n"

CONFIG = """<View>
  <Labels name="label" toName="text"><Label value="Dish"/><Label value="Place"/></Labels>
  <Text name="text" value="$text"/>
</View>"""
TWO_CONTROLS = """<View>
  <Labels name="food" toName="text"><Label value="Dish"/></Labels>
  <Labels name="label" toName="text"><Label value="Place"/></Labels>
  <Text name="text" value="$text"/>
</View>"""

Region = tuple[str, str]


@dataclass(frozen=True)
class Case:
    """A text, its regions as ``(label, text)`` in reading order, and the number of people who annotated it."""

    name: str
    text: str
    regions: list[Region]
    annotators: int = 1
    config: str = CONFIG
    controls: tuple[str, ...] = ("label",)
    skipped: bool = False


CASES = [
    Case("plain words", "pad thai in Boston", [("Dish", "pad thai"), ("Place", "Boston")]),
    Case("two regions in one word", "the pizza-pasta menu", [("Dish", "pizza"), ("Dish", "pasta")]),
    Case("a region that ends inside a word", "two pizzas please", [("Dish", "pizza")]),
    Case("regions that touch", "padthaitacos for two", [("Dish", "padthai"), ("Dish", "tacos")]),
    Case("Chinese, which has no spaces", "波士顿的北京烤鸭", [("Place", "波士顿"), ("Dish", "北京烤鸭")]),
    Case("a region with a space at its end", "the ramen bar", [("Dish", "ramen ")]),
    Case("straight quotation marks", 'the "ramen" in "Boston"', [("Dish", "ramen"), ("Place", "Boston")]),
    Case(
        "two Labels controls",
        "tacos in Boston",
        [("Dish", "tacos"), ("Place", "Boston")],
        config=TWO_CONTROLS,
        controls=("food", "label"),
    ),
    Case("two annotators", "tacos in Boston", [("Dish", "tacos"), ("Place", "Boston")], annotators=2),
    Case("a skipped task", "tacos in Boston", [("Dish", "tacos")], skipped=True),
    Case(
        "a region inside another",
        "New England clam chowder",
        [("Dish", "New England clam chowder"), ("Place", "New England")],
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT.name}")
    options = parser.parse_args()
    if options.write:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        DOCUMENT.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
    else:
        print(table(), end="")


def table() -> str:
    rows = [
        "| case | entities | Label Studio keeps | we keep | Label Studio invents | we invent |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for case in CASES:
        truth = (
            Counter() if case.skipped else Counter((label, _without_whitespace(text)) for label, text in case.regions)
        )
        exported = [Counter(_entities(export(case))) for export in (theirs, ours)]
        kept = [(truth & entities).total() for entities in exported]
        invented = [(entities - truth).total() for entities in exported]
        cells = [case.name, truth.total(), *kept, *invented]
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def theirs(case: Case) -> str:
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export.json"
        export.write_text(json.dumps([task(case)]))
        try:
            converter = Converter(case.config, project_dir=None, download_resources=False)
            converter.convert_to_conll2003(str(export), folder, is_dir=False)
        except Exception:  # of any type: there is no export
            return ""
        return (Path(folder) / "result.conll").read_text(encoding="utf-8")


def ours(case: Case) -> str:
    documents, _ = read_tasks([task(case)], LabelConfig.from_xml(case.config))
    stream = io.StringIO()
    write_conll(documents, stream)
    return stream.getvalue()


def task(case: Case) -> dict[str, Any]:
    results, position = [], 0
    for index, (label, text) in enumerate(case.regions):
        start = case.text.find(text, position)
        start = case.text.index(text) if start < 0 else start
        position = start + len(text)
        results.append(
            {
                "id": f"r{index}",
                "from_name": case.controls[min(index, len(case.controls) - 1)],
                "to_name": "text",
                "type": "labels",
                "value": {"start": start, "end": start + len(text), "text": text, "labels": [label]},
            }
        )
    annotations = [
        {"id": number, "completed_by": number, "result": results, "was_cancelled": case.skipped}
        for number in range(1, case.annotators + 1)
    ]
    return {"id": 1, "data": {"text": case.text}, "annotations": annotations}


def _entities(conll: str) -> list[Region]:
    entities: list[Region] = []
    for row in conll.splitlines():
        token, tag = row.partition(" ")[0], row.rpartition(" ")[2]
        if token == "-DOCSTART-":
            continue
        if tag.startswith("B-"):
            entities.append((tag[2:], token))
        elif tag.startswith("I-") and entities:
            entities[-1] = (tag[2:], entities[-1][1] + token)
    return entities


def _without_whitespace(text: str) -> str:
    return "".join(text.split())


if __name__ == "__main__":
    main()
