from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from backend.conversion import Conversion, Example, Kind, MisplacedLabel, Use
from converters import ConversionReport, Problem
from label_config import Control, LabelConfig, LabelledText

CONFIG = LabelConfig.of_one_text(["Dish", "Location"])
TWO_TEXTS = LabelConfig(
    (
        LabelledText("title", "$title", (Control("t", ("Dish", "Cuisine")),)),
        LabelledText("body", "$body", (Control("b", ("Location", "Cuisine")),)),
    )
)


def report(**columns: Any) -> ConversionReport:
    return ConversionReport(**{"tasks": 4, "labelled": 4, "used": 4, "regions": 10, "spans": 10, **columns})


def lossy() -> Conversion:
    """Two sets, in which 3 of 20 regions are lost: an old label twice, one overlap; and one was corrected."""
    train, test = report(spans=8), report(spans=9)
    train.unknown_labels["Person"] = 2
    for task in ("3", "5"):
        train.note(Problem.UNKNOWN_LABEL, task, "'Person' is not in the labelling configuration")
    test.note(Problem.OVERLAP, "8", "Dish at 4 to 9 overlaps")
    test.note(Problem.CORRECTED_OFFSETS, "9", "Dish at 4 to 9 is read at 3 to 8")
    return Conversion.from_reports([train, test], held_out=test, config=CONFIG)


def test_losses_and_repairs_are_apart_each_with_its_tasks() -> None:
    conversion = lossy()
    assert conversion.total == Use(8, 8, 20, 17)
    assert conversion.held_out == Use(4, 4, 10, 9)
    unknown, overlap = conversion.losses
    assert (unknown.problem, unknown.words, unknown.count) == ("unknown_label", "label not in the configuration", 2)
    assert unknown.tasks == ["3", "5"]
    assert overlap.examples == (Example("8", "Dish at 4 to 9 overlaps"),)
    assert [(kind.problem, kind.count) for kind in conversion.repairs] == [("corrected_offsets", 1)]


def test_is_the_same_after_its_way_through_json() -> None:
    assert Conversion.from_dict(lossy().to_dict()) == lossy()


def test_twenty_examples_of_each_kind_are_kept() -> None:
    long = report()
    for number in range(2000):
        long.note(Problem.RENAMED_LABEL, str(number), "Person is read as PERSON")
    for number in range(30):
        long.note(Problem.WRONG_OFFSETS, str(number), "offsets")
    conversion = Conversion.from_reports([long, report()], held_out=report(), config=CONFIG)
    assert [(kind.count, len(kind.examples)) for kind in conversion.repairs] == [(2000, 20)]
    assert [(kind.count, len(kind.examples)) for kind in conversion.losses] == [(30, 20)]


@pytest.mark.parametrize(
    ("total", "sentence"),
    [
        (Use(120, 120, 412, 412), "all 412 regions of 120 labelled tasks are used"),
        (Use(1, 1, 1, 1), "the 1 region of 1 labelled task is used"),
        (Use(120, 120, 1412, 1380), "1,380 of 1,412 regions of 120 labelled tasks are used"),
        (Use(120, 118, 412, 412), "all 412 regions of 120 labelled tasks (2 tasks could not be read) are used"),
        (Use(3, 3, 0, 0), "0 regions of 3 labelled tasks"),
    ],
)
def test_summary_says_how_many_regions_are_used(total: Use, sentence: str) -> None:
    assert Conversion(total).summary == sentence


@pytest.mark.parametrize(
    ("unknown", "pending", "sentences"),
    [
        (
            {},
            [],
            ["overlaps another region (4)", "1 text is left out, because a region on it could not be read"],
        ),
        (
            {"Person": 30},
            [],
            [
                "30 regions carry the label Person, which the configuration no longer has: rename it back, or map it",
                "other reasons: overlaps another region (4)",
                "1 text is left out, because a region on it could not be read",
            ],
        ),
        (
            {"Person": 30},
            ["Person"],
            [
                "overlaps another region (4)",
                "1 text is left out, because a region on it could not be read",
            ],
        ),
    ],
)
def test_every_loss_is_said_with_its_remedy(
    unknown: dict[str, int], pending: Sequence[str], sentences: list[str]
) -> None:
    losses = (
        Kind("unknown_label", "label not in the configuration", 30),
        Kind("overlap", "overlaps another region", 4),
    )
    conversion = Conversion(losses=losses, unknown_labels=unknown, texts_left_out=1)
    assert conversion.loss_sentences(pending=pending) == sentences


def test_many_unknown_labels_are_summed_up() -> None:
    conversion = Conversion(unknown_labels={f"L{number}": 10 for number in range(8)})
    *named, rest = conversion.loss_sentences()
    assert len(named) == 5
    assert rest == "30 regions carry 3 more labels, which `python -m backend labels` lists"
    assert len(conversion.loss_sentences(named_labels=None)) == 8


def test_label_of_several_lines_stays_in_its_sentence() -> None:
    [sentence] = Conversion(unknown_labels={"a\nb" + "c" * 100: 1}).loss_sentences()
    assert sentence.startswith("1 region carries the label a bccc")
    assert len(sentence) < 160


def test_label_that_utf_8_cannot_hold_is_escaped() -> None:
    strange = report()
    strange.unknown_labels["Per\ud800son"] = 1
    strange.note(Problem.UNKNOWN_LABEL, "\ud800", "\ud800")
    conversion = Conversion.from_reports([strange], held_out=report(), config=CONFIG)
    assert conversion.loss_sentences()[0].startswith(r"1 region carries the label Per\ud800son, which")
    assert json.dumps(conversion.to_dict(), ensure_ascii=False).encode()


def two_texts(renamed: dict[str, str], *labels: str, text: str = "title") -> Conversion:
    """30 regions of each label on a text of `TWO_TEXTS`, of which none could be used."""
    read = report(regions=30 * len(labels), spans=0)
    for label in labels:
        read.misplaced_labels[label, text] = 30
        if label in renamed:
            read.unknown_labels[label] = 30
        problem = Problem.UNKNOWN_LABEL if label in renamed else Problem.MISPLACED_LABEL
        read.note(problem, "3", f"{label!r} is not in the labels of {text!r}")
    return Conversion.from_reports([read], held_out=report(), config=TWO_TEXTS.with_renamed(renamed))


def test_label_that_only_another_text_offers_is_said_with_the_text() -> None:
    conversion = two_texts({}, "Location")
    assert conversion.misplaced_labels == (MisplacedLabel("Location", "title", 30),)
    assert conversion.loss_sentences() == [
        "30 regions carry the label Location on the text title, which does not offer it: add it to that text's labels, "
        "or correct the regions"
    ]
    assert Conversion.from_dict(json.loads(json.dumps(conversion.to_dict()))) == conversion


def test_one_region_is_said_as_such() -> None:
    misplaced = (MisplacedLabel("Location", "title", 1), MisplacedLabel("Old", "title", 1, read_as="Location"))
    first, second = Conversion(misplaced_labels=misplaced, offered={"title": ("Dish",)}).loss_sentences()
    assert first.startswith("1 region carries the label Location")
    assert first.endswith("or correct the region")
    assert "but the text it is on, title, does not offer Location" in second


@pytest.mark.parametrize(
    ("text", "new", "offered"), [("title", "Location", "Dish, Cuisine"), ("body", "Dish", "Location, Cuisine")]
)
def test_mapping_to_a_label_of_another_text_is_said_to_have_no_effect(text: str, new: str, offered: str) -> None:
    conversion = two_texts({"Old": new}, "Old", text=text)
    assert (conversion.renamed, conversion.unknown_labels) == ({"Old": new}, {"Old": 30})
    assert conversion.loss_sentences() == [
        f"30 regions carry the label Old, which is read as {new}, but the text they are on, {text}, does not offer "
        f"{new}: map it to one of its labels ({offered}), or add {new} to them"
    ]
    assert conversion.loss_sentences(pending=["Old"]) == []
    assert Conversion.from_dict(json.loads(json.dumps(conversion.to_dict()))) == conversion


@pytest.mark.parametrize(
    ("problem", "detail", "sentence"),
    [
        (Problem.NO_TEXT, "The text at 's3://b/1' is not read: put it into the task.", "no text (2), for example in "
         "task 3: The text at 's3://b/1' is not read: put it into the task"),
        (Problem.WRONG_OFFSETS, "the words are not there: mark them again", "offsets of other words (2), for example "
         "in task 3: the words are not there: mark them again"),
        (Problem.OVERLAP, "Dish at 3 to 4", "overlaps another region (2)"),
    ],
)  # fmt: skip
def test_remedy_of_the_first_example_is_said(problem: Problem, detail: str, sentence: str) -> None:
    read = report()
    read.note(problem, "3", detail)
    read.note(problem, "4", "another")
    assert Conversion.from_reports([read], held_out=report(), config=CONFIG).loss_sentences() == [sentence]
