"""What the benchmark of label issues spoils is what it says, and it counts no more than it should. No figure is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from backend.inference.decode import Floats
from backend.training.label_issues import IssueCandidate
from bench import label_issues as module
from bench.label_issues import CORRUPTIONS, Flip, by_confidence, found, measure, spoil
from converters.bio import spans_to_tags, tag_set
from converters.document import Document, Span
from tests.samples import LABELS

KINDS = CORRUPTIONS["mixed"]


def spoilt(documents: Sequence[Document], kinds: Sequence[str], share: float = 0.4) -> list[Flip]:
    after, flips = spoil(documents, kinds, LABELS, share=share, seed=1)
    assert len(flips) == round(share * sum(len(document.spans) for document in documents))
    by_id = {document.id: document for document in after}
    for document in after:
        assert not spans_to_tags(document.text, document.spans).losses  # nothing overlaps
    for flip in flips:
        assert flip.now is None or flip.now in by_id[flip.document].spans
    return flips


def test_same_seed_spoils_the_same(sample_documents: list[Document]) -> None:
    assert spoilt(sample_documents, KINDS) == spoilt(sample_documents, KINDS)


def test_kinds_are_equally_many(sample_documents: list[Document]) -> None:
    counts = Counter(flip.kind for flip in spoilt(sample_documents, KINDS))
    assert set(counts) == set(KINDS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_only_what_is_said_changes(sample_documents: list[Document]) -> None:
    for flip in spoilt(sample_documents, KINDS):
        match flip.kind, flip.was, flip.now:
            case "other label", Span() as was, Span() as now:
                assert (was.start, was.end) == (now.start, now.end)
                assert was.label != now.label
            case "moved boundary", Span() as was, Span() as now:
                assert was.label == now.label
                assert (was.start == now.start) != (was.end == now.end)
            case "dropped", Span(), None:
                pass
            case _:
                assert (flip.kind, flip.was) == ("invented", None)


def candidate(given: Span | None, found: Span, document: str = "1") -> IssueCandidate:
    return IssueCandidate(document, "", given, (found,), "missing" if given is None else "wrong label", "", 0.9)


def test_suspect_counts_where_it_names_what_was_spoilt_and_once() -> None:
    dish, place = Span(0, 5, "Dish"), Span(9, 15, "Location")
    flips = [Flip("1", "other label", Span(0, 5, "Cuisine"), dish), Flip("1", "dropped", place, None)]
    assert found([candidate(dish, dish), candidate(dish, dish)], flips) == {flips[0]}
    assert found([candidate(None, Span(9, 12, "Dish"))], flips) == {flips[1]}
    assert found([candidate(None, dish), candidate(place, place), candidate(dish, dish, document="2")], flips) == set()


def test_confidence_ranks_every_region_by_the_probability_of_its_tags() -> None:
    document = Document("1", "good thai ramen", (Span(5, 9, "Cuisine"), Span(10, 15, "Dish")))
    tags = tag_set(LABELS)
    scores = np.full((3, len(tags)), np.log(0.1))
    scores[1, tags.index("B-Cuisine")] = np.log(0.9)
    scores[2, tags.index("B-Dish")] = np.log(0.4)
    first, second = by_confidence([document], [scores], LABELS)
    assert (first.text, second.text) == ("ramen", "thai")
    assert [first.score, second.score] == pytest.approx([0.6, 0.1])


def test_report_has_a_part_for_each_corruption(
    sample_documents: list[Document], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def knows_nothing(documents: Sequence[Document], *_: object, **__: object) -> list[Floats]:
        sizes = [len(spans_to_tags(document.text, document.spans).words) for document in documents]
        return [np.full((size, 7), np.log(1 / 7), dtype=np.float32) for size in sizes]

    monkeypatch.setattr(module, "cross_validate", knows_nothing)
    monkeypatch.setattr(module, "_seen", knows_nothing)
    tagged = [spans_to_tags(document.text, document.spans) for document in sample_documents]
    corpus = [list(zip((word.text for word in one.words), one.tags, strict=True)) for one in tagged]
    report = measure(corpus, 40, share=0.1, seed=1, labels=LABELS)
    assert report["sentences"] == 40
    for name in CORRUPTIONS:
        assert 0 <= report[name]["precision"] <= 1
        assert 0 < report[name]["random"]["precision"] < 0.2
        assert sum(total for _, total in report[name]["by_kind"].values()) == report[name]["flipped"]
    module.print_table(report)
    assert "mixed: " in capsys.readouterr().out
