from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.inference.entities import EntityFinder, prediction_scores, region_scores
from converters.bio import repair, tag_set, tags_to_spans
from converters.document import Word

TAGS = tag_set(["X", "Y"])


def spans(texts: list[list[str]]) -> list[list[tuple[int, int, str]]]:
    """The entities that the finder finds in tagged texts: first word, word after the last, label."""
    ids = np.array([TAGS.index(tag) for tags in texts for tag in tags], dtype=np.int64)
    finder = EntityFinder(TAGS)
    firsts, ends = finder.find(ids)
    entities: list[list[tuple[int, int, str]]] = []
    start = 0
    for tags in texts:
        end = start + len(tags)
        entities.append(
            [
                (first - start, after - start, finder.labels[ids[first]])
                for first, after in zip(firsts.tolist(), ends.tolist(), strict=True)
                if start <= first < end
            ]
        )
        start = end
    return entities


@given(st.lists(st.lists(st.sampled_from(TAGS), max_size=8).map(lambda tags: repair(tags)[0]), max_size=5))
def test_entities_are_those_that_the_converter_reads(texts: list[list[str]]) -> None:
    expected = [
        [
            (span.start, span.end, span.label)
            for span in tags_to_spans([Word("x", i, i + 1) for i in range(len(tags))], tags)
        ]
        for tags in texts
    ]
    assert spans(texts) == expected


def test_adjacent_entities_of_one_label_stay_separate() -> None:
    assert spans([["B-X", "I-X", "B-X"], ["B-X"]]) == [[(0, 2, "X"), (2, 3, "X")], [(0, 1, "X")]]


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([], 1.0), ([1.0], 1.0), ([0.5], 0.5), ([0.9, 0.1], 0.3), ([0.5] * 100_000, 0.5), ([1e-30] * 100_000, 1e-30)],
)
def test_scores_are_geometric_means(probabilities: list[float], expected: float) -> None:
    chosen = np.log(np.array(probabilities, dtype=np.float32))
    size = np.array([len(chosen)])
    assert prediction_scores(chosen, size).tolist() == pytest.approx([expected], rel=1e-3)
    assert region_scores(chosen, np.array([0]), size).tolist() == prediction_scores(chosen, size).tolist()


def test_every_text_and_every_region_has_its_own_score() -> None:
    chosen = np.log(np.array([0.5, 0.5, 0.9, 0.4, 0.1], dtype=np.float32))
    assert prediction_scores(chosen, np.array([0, 2, 0, 3, 0])).tolist() == pytest.approx(
        [1, 0.5, 1, 0.036 ** (1 / 3), 1]
    )
    assert region_scores(chosen, np.array([1, 3]), np.array([3, 5])).tolist() == pytest.approx([0.45**0.5, 0.2])


@given(st.lists(st.lists(st.floats(-1e6, 0.0), max_size=20), max_size=5))
def test_score_is_always_a_probability(texts: list[list[float]]) -> None:
    chosen = np.array([logarithm for text in texts for logarithm in text], dtype=np.float32)
    scores = prediction_scores(chosen, np.array([len(text) for text in texts], dtype=np.int64))
    assert len(scores) == len(texts)
    assert all(0.0 <= score <= 1.0 for score in scores)
