from __future__ import annotations

import io
from pathlib import Path

import pytest

from converters import phrase_file
from converters.phrase_file import read_phrases, write_phrases
from converters.phrases import Phrase
from label_config import LabelConfig

CONFIG = LabelConfig.from_xml(
    '<View><Labels name="label" toName="text"><Label value="Dish"/><Label value="Place" alias="Location"/></Labels>'
    '<Text name="text" value="$text"/></View>'
)


def read(folder: Path, content: str) -> phrase_file.PhraseFile:
    file = folder / "phrases.tsv"
    file.write_text(content, encoding="utf-8")
    return read_phrases(str(file), CONFIG)


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        ("", []),
        ("pad thai\tDish\nBoston\tLocation\n", [("pad thai", "Dish"), ("Boston", "Location")]),
        ("\ufeffBoston\tPlace\r\n\n", [("Boston", "Location")]),
        ("  pad  thai \t Dish", [("pad thai", "Dish")]),
        ("Sushi\tDish\nsushi\tDish\n", [("Sushi", "Dish")]),
        ("# 1 sushi\tDish", [("# 1 sushi", "Dish")]),
    ],
)
def test_each_line_is_a_phrase_and_its_label(content: str, phrases: list[tuple[str, str]], tmp_path: Path) -> None:
    assert read(tmp_path, content) == ([Phrase(*phrase) for phrase in phrases], [])


def test_phrases_with_several_labels_are_left_out_and_named(tmp_path: Path) -> None:
    assert read(tmp_path, "Turkey\tDish\nturkey\tPlace\nsushi\tDish\n") == ([Phrase("sushi", "Dish")], ["turkey"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("sushi", "is 'sushi': write a phrase, a tab and its label."),
        ("sushi\t", "is 'sushi': write a phrase, a tab and its label."),
        ("\tDish", "is 'Dish': write a phrase, a tab and its label."),
        ("sushi\tDish\t3", "is 'sushi\\tDish\\t3': write a phrase, a tab and its label."),
        ("sushi\tFood", "has the label 'Food', which the configuration does not have: use Dish, Location."),
        (f"{'x' * 201}\tDish", "has a phrase of 201 characters: give at most 200."),
    ],
)
def test_line_that_cannot_be_read_is_named(line: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Line 2 of ") as raised:
        read(tmp_path, f"sushi\tDish\n{line}\n")
    assert str(raised.value).endswith(f"phrases.tsv {problem}")


def test_too_many_phrases_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrase_file, "MAX_PHRASES", 1)
    with pytest.raises(ValueError, match="has 2 phrases: give at most 1"):
        read(tmp_path, "sushi\tDish\nramen\tDish\n")


def test_written_phrases_can_be_read(tmp_path: Path) -> None:
    phrases = [Phrase("pad thai", "Dish"), Phrase("Boston", "Location")]
    out = io.StringIO()
    assert write_phrases(phrases, out) == 2
    assert out.getvalue() == "pad thai\tDish\nBoston\tLocation\n"
    assert read(tmp_path, out.getvalue()).phrases == phrases
