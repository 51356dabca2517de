"""Reads the corpus of the benchmarks, and writes Label Studio exports made from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "mit_restaurant"

Sentence = list[tuple[str, str]]


def sentences(file: Path) -> list[Sentence]:
    """Read ``(word, tag)`` pairs from a file of ``TAG<TAB>word`` lines, with an empty line between sentences."""
    if not file.exists():
        raise SystemExit(f"There is no corpus at {file}: give the folder that contains train.bio with --data.")
    blocks = file.read_text(encoding="utf-8").strip().split("\n\n")
    return [[(word, tag) for tag, _, word in (row.partition("\t") for row in block.splitlines())] for block in blocks]


def write_export(corpus: list[Sentence], tasks: int, file: Path) -> int:
    """Write a JSON export of so many tasks, as Label Studio does, repeating the corpus; return its number of words."""
    words = 0
    with file.open("w", encoding="utf-8") as stream:
        stream.write("[")
        for number, sentence in enumerate(islice(cycle(corpus), tasks), start=1):
            words += len(sentence)
            stream.write("," * (number > 1) + json.dumps(_task(number, sentence)))
        stream.write("]")
    return words


def _task(number: int, sentence: Sentence) -> dict[str, Any]:
    text = " ".join(word for word, _ in sentence)
    time = "2026-01-01T12:00:00.000000Z"
    regions = [
        {
            "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
            "id": f"region{index}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "origin": "manual",
        }
        for index, (start, end, label) in enumerate(_spans(sentence))
    ]
    annotation = {
        "id": number,
        "completed_by": 1,
        "result": regions,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": time,
        "updated_at": time,
        "draft_created_at": None,
        "lead_time": 3.2,
        "prediction": {},
        "result_count": len(regions),
        "unique_id": f"00000000-0000-4000-8000-{number:012d}",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": number,
        "project": 1,
        "updated_by": 1,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    }
    return {
        "id": number,
        "annotations": [annotation],
        "file_upload": "corpus.json",
        "drafts": [],
        "predictions": [],
        "data": {"text": text},
        "meta": {},
        "created_at": time,
        "updated_at": time,
        "allow_skip": True,
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": 0,
        "total_predictions": 0,
        "comment_count": 0,
        "unresolved_comment_count": 0,
        "last_comment_updated_at": None,
        "project": 1,
        "updated_by": 1,
        "comment_authors": [],
    }


def _spans(sentence: Sentence) -> Iterator[tuple[int, int, str]]:
    open_span: tuple[int, int, str] | None = None
    position = 0
    for word, tag in sentence:
        end = position + len(word)
        if tag.startswith("I-") and open_span:
            open_span = (open_span[0], end, open_span[2])
        else:
            if open_span:
                yield open_span
            open_span = (position, end, tag[2:]) if tag.startswith("B-") else None
        position = end + 1
    if open_span:
        yield open_span
