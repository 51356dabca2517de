"""The demonstration's restaurant queries, some labelled and some to be labelled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from converters import Document, Span, regions
from label_config import LabelConfig

_MARK = re.compile(r"\[([^\[\]]+)\]\((\w+)\)")
_UNLABELLED = "# Unlabelled"


@dataclass(frozen=True, slots=True)
class Samples:
    """Queries with their spans; those in ``unlabelled`` are imported without, for an annotator to label."""

    labelled: list[Document]
    unlabelled: list[Document]


def load_samples() -> Samples:
    """Read the package's queries; a document's id is its line number."""
    text = resources.files("backend.demo").joinpath("restaurant_queries.txt").read_text(encoding="utf-8")
    samples = Samples([], [])
    documents = samples.labelled
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(_UNLABELLED):
            documents = samples.unlabelled
        elif line.strip() and not line.startswith("#"):
            documents.append(parse_query(str(number), line.strip()))
    return samples


def parse_query(name: str, line: str) -> Document:
    """Read one query: ``[cheap](Price) [sushi](Cuisine) near the station``."""
    text, spans, position = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[position : mark.start()]
        spans.append(Span(len(text), len(text) + len(mark[1]), mark[2]))
        text += mark[1]
        position = mark.end()
    return Document(name, text + line[position:], tuple(spans))


def as_tasks(samples: Samples, config: LabelConfig) -> list[dict[str, Any]]:
    """Tasks in Label Studio's import format, the labelled ones with an annotation."""
    [labelled_text] = config.texts
    [field] = labelled_text.fields
    labelled = [
        {
            "data": {field: document.text},
            "annotations": [{"result": regions(document.text, document.spans, labelled_text)}],
        }
        for document in samples.labelled
    ]
    return labelled + [{"data": {field: document.text}} for document in samples.unlabelled]
