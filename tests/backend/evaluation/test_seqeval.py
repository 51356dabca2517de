"""The scores are those of seqeval (strict IOB2), which is used in tests only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

import backend
from backend.evaluation.evaluate import LabelMetrics, Metrics, score

NAMES = ("Dish", "A-B", "-A", "B-", "-", "micro avg", "O", "é 🍣", "a b")
"""Label names, also such as seqeval itself would misread."""

MICRO = "micro average"

Documents = list[list[tuple[str, str]]]
"""Gold and predicted tag of each word of each document."""


@st.composite
def documents(draw: st.DrawFn) -> Documents:
    """Random tags, valid or not, of a few labels."""
    labels = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    tag = st.sampled_from(["O", *(prefix + label for label in labels for prefix in ("B-", "I-"))])
    return draw(st.lists(st.lists(st.tuples(tag, tag), max_size=9), max_size=6))


@given(documents())
def test_scores_are_those_of_seqeval(documents: Documents) -> None:
    gold, predicted = ([[pair[side] for pair in document] for document in documents] for side in (0, 1))
    metrics = score(gold, predicted)
    expected = seqeval_scores(gold, predicted)
    assert metrics.documents == len(documents)
    assert metrics.per_label.keys() == expected.keys() - {MICRO}
    for label, row in metrics.per_label.items():
        assert_equal(row, expected[label])
    if expected:
        assert_equal(metrics, expected[MICRO])
    else:
        assert (metrics.precision, metrics.recall, metrics.f1, metrics.support) == (1.0, 1.0, 1.0, 0)


def seqeval_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Rows of seqeval's report; empty where there are neither gold nor predicted entities, which it cannot score.

    Labels get code names meanwhile: seqeval strips hyphens from names, and takes some for its own averages.
    """
    tags = {tag for sequence in (*gold, *predicted) for tag in sequence}
    codes = {label: f"L{index}" for index, label in enumerate(sorted({tag[2:] for tag in tags if tag != "O"}))}
    if not any(tag.startswith("B-") for tag in tags):
        return {}
    report = classification_report(
        [[encoded(tag, codes) for tag in sequence] for sequence in gold],
        [[encoded(tag, codes) for tag in sequence] for sequence in predicted],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    rows = {label: report[code] for label, code in codes.items() if code in report}
    return {**rows, MICRO: report["micro avg"]}


def encoded(tag: str, codes: dict[str, str]) -> str:
    return "O" if tag == "O" else tag[:2] + codes[tag[2:]]


def assert_equal(scores: LabelMetrics | Metrics, row: dict[str, float]) -> None:
    assert scores.precision == pytest.approx(row["precision"])
    assert scores.recall == pytest.approx(row["recall"])
    assert scores.f1 == pytest.approx(row["f1-score"])
    assert scores.support == row["support"]


def test_backend_does_not_import_seqeval() -> None:
    sources = Path(backend.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if re.search(r"^\s*(import|from) seqeval", path.read_text(), re.M)] == []
