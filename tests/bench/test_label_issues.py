"""The benchmark of label issues corrupts what it says and counts correctly. No figure is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from backend.inference.decode import Floats
from backend.training.label_issues import IssueCandidate
from bench import label_issues as module
from bench.label_issues import CORRUPTIONS, Flip, by_confidence, corrupt, measure, named_flips
from converters.bio import tag_set
from converters.document import Document, Span
from converters.tagged import TaggedDocument, tag_document
from tests.samples import LABELS

KINDS = CORRUPTIONS["mixed"]


def corrupted(documents: Sequence[Document], kinds: Sequence[str], share: float = 0.4) -> list[Flip]:
    after, flips = corrupt(documents, kinds, LABELS, share=share, seed=1)
    assert len(flips) == round(share * sum(len(document.spans) for document in documents))
    by_id = {document.id: document for document in after}
    for document in after:
        assert not tag_document(document).losses  # nothing overlaps
    for flip in flips:
        assert flip.now is None or flip.now in by_id[flip.document].spans
    return flips


def test_same_seed_corrupts_the_same(sample_documents: list[Document]) -> None:
    assert corrupted(sample_documents, KINDS) == corrupted(sample_documents, KINDS)


def test_kinds_are_equally_many(sample_documents: list[Document]) -> None:
    counts = Counter(flip.kind for flip in corrupted(sample_documents, KINDS))
    assert set(counts) == set(KINDS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_each_kind_changes_what_its_name_says(sample_documents: list[Document]) -> None:
    for flip in corrupted(sample_documents, KINDS):
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


def candidate(given: Span | None, predicted: Span, document: str = "1") -> IssueCandidate:
    return IssueCandidate(document, "", "", given, (predicted,), "missing" if given is None else "wrong label", "", 0.9)


def test_flip_counts_once_however_many_candidates_name_it() -> None:
    dish, place = Span(0, 5, "Dish"), Span(9, 15, "Location")
    flips = [Flip("1", "other label", Span(0, 5, "Cuisine"), dish), Flip("1", "dropped", place, None)]
    assert named_flips([candidate(dish, dish), candidate(dish, dish)], flips) == {flips[0]}
    assert named_flips([candidate(None, Span(9, 12, "Dish"))], flips) == {flips[1]}
    others = [candidate(None, dish), candidate(place, place), candidate(dish, dish, document="2")]
    assert named_flips(others, flips) == set()


def test_confidence_ranks_every_region_by_the_probability_of_its_tags() -> None:
    document = Document("1", "good thai ramen", (Span(5, 9, "Cuisine"), Span(10, 15, "Dish")))
    tags = tag_set(LABELS)
    scores = np.full((3, len(tags)), np.log(0.1))
    scores[1, tags.index("B-Cuisine")] = np.log(0.9)
    scores[2, tags.index("B-Dish")] = np.log(0.4)
    first, second = by_confidence([tag_document(document)], [scores], LABELS)
    assert (first.text, second.text) == ("ramen", "thai")
    assert [first.score, second.score] == pytest.approx([0.6, 0.1])


def test_report_has_a_part_for_each_corruption(
    sample_documents: list[Document], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def uniform(documents: Sequence[TaggedDocument], *_: object, **__: object) -> list[Floats]:
        return [np.full((len(document.words), 7), np.log(1 / 7), dtype=np.float32) for document in documents]

    monkeypatch.setattr(module, "cross_validate", uniform)
    monkeypatch.setattr(module, "_fitted_emissions", uniform)
    tagged = map(tag_document, sample_documents)
    corpus = [list(zip((word.text for word in document.words), document.tags, strict=True)) for document in tagged]
    report = measure(corpus, 40, share=0.1, seed=1, labels=LABELS)
    assert report["sentences"] == 40
    for name in CORRUPTIONS:
        assert 0 <= report[name]["precision"] <= 1
        assert 0 < report[name]["random"]["precision"] < 0.2
        assert sum(total for _, total in report[name]["by_kind"].values()) == report[name]["flipped"]
    module.print_table(report)
    assert "mixed: " in capsys.readouterr().out
