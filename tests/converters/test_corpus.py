from __future__ import annotations

import json
from pathlib import Path

import pytest

from converters.conll_commands import ConllFile
from converters.corpus import read_corpus
from converters.document import Span


def export(*labels: str) -> str:
    results = [
        {"from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 5, "end": 10, "text": "sushi", "labels": [label]}}
        for label in labels
    ]  # fmt: skip
    return json.dumps([{"id": 7, "data": {"text": "best sushi"}, "annotations": [{"id": 1, "result": results}]}])


@pytest.mark.parametrize(
    ("content", "id"),
    [
        ("O\tbest\nB-Dish\tsushi\n", "1"),
        ("-DOCSTART- -X- O O\n\nbest -X- _ O\nsushi -X- _ B-Dish\n", "1"),
        (export("Dish"), "7"),
        ("\ufeff\n" + export("Dish"), "7"),
    ],
    ids=["tag first", "CoNLL-2003", "export", "byte order mark"],
)
def test_content_tells_how_a_file_is_read(content: str, id: str, tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_text(content, encoding="utf-8")
    corpus = read_corpus(ConllFile(str(file)))
    (document,) = corpus.documents
    assert (document.id, document.text, document.spans) == (id, "best sushi", (Span(5, 10, "Dish"),))
    assert corpus.labels == ("Dish",)
    assert corpus.notes


def test_sidecar_restores_ids_and_texts(tmp_path: Path) -> None:
    file = tmp_path / "corpus.conll"
    file.write_text("-DOCSTART- -X- O O\n\nbest -X- _ O\nsushi -X- _ B-Dish\n")
    entry = {"id": "9", "text": "best  sushi", "words": [[[0, 4], [6, 11]]]}
    file.with_name("corpus.conll.jsonl").write_text(json.dumps(entry) + "\n")
    (document,) = read_corpus(ConllFile(str(file))).documents
    assert (document.id, document.text, document.spans) == ("9", "best  sushi", (Span(6, 11, "Dish"),))
