"""The benchmark of phrases works on any corpus in its layouts. No figure is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.inference.phrases import PhraseTagger
from bench import phrases
from bench.phrases import Together
from converters.document import Span
from converters.phrases import Phrase

ROWS = ("find O", "Thai B-Dish", "food I-Dish", "in O", "US B-Place")


@pytest.mark.parametrize("layout", ["bio", "tsv"])
def test_ways_to_compare_words_are_scored(layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"bio": ("train.bio", "valid.bio", "test.bio"), "tsv": ("train.tsv", "devel.tsv")}[layout]
    pairs = [row.split() for row in ROWS]
    lines = ["\t".join((tag, word) if layout == "bio" else (word, tag)) for word, tag in pairs]
    for file in files:
        (tmp_path / file).write_text("\n\n".join(["\n".join(lines)] * 3) + "\n")
    phrases.main(["--case", "--sizes", "2", "--seeds", "1", "--data", str(tmp_path), "--json"])
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["case"]
    assert [row["way"] for row in rows] == list(phrases.WAYS)
    assert [(row["sentences"], row["f1"], row["precision"]) for row in rows] == [(2, 1.0, 1.0)] * 3


def test_regions_of_the_second_tagger_fill_the_gaps_of_the_first() -> None:
    first = PhraseTagger([Phrase("pad thai", "Dish")])
    second = PhraseTagger([Phrase("thai bar", "Place"), Phrase("sushi", "Dish")])
    (tagging,) = Together(first, second).tag(["pad thai bar, sushi"])
    assert tagging.spans == (Span(0, 8, "Dish", 1.0), Span(14, 19, "Dish", 1.0))
