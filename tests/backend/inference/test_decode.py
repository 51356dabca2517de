from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.inference.decode import Viterbi, gather, prediction_score, region_score
from converters.bio import is_legal, starts, tag_set, transitions

TAGS = tag_set(["X", "Y"])


def viterbi() -> Viterbi:
    return Viterbi(transitions(TAGS), starts(TAGS))


def log_probabilities(seed: int, words: int) -> np.ndarray:
    scores = np.random.default_rng(seed).normal(size=(words, len(TAGS))) * 2
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def best_by_brute_force(scores: np.ndarray) -> float:
    legal = (path for path in product(range(len(TAGS)), repeat=len(scores)) if is_legal([TAGS[tag] for tag in path]))
    return max(float(sum(scores[step, tag] for step, tag in enumerate(path))) for path in legal)


@given(seed=st.integers(0, 10_000), lengths=st.lists(st.integers(0, 5), max_size=4))
def test_path_is_the_best_legal_one(seed: int, lengths: list[int]) -> None:
    batch = [log_probabilities(seed + row, length) for row, length in enumerate(lengths)]
    for scores, tags in zip(batch, viterbi().decode(batch), strict=True):
        assert len(tags) == len(scores)
        assert is_legal([TAGS[tag] for tag in tags])
        found = float(scores[np.arange(len(tags)), tags].sum())
        assert found == pytest.approx(best_by_brute_force(scores), abs=1e-5)


def test_inside_tag_is_never_first_however_probable() -> None:
    scores = np.log(np.array([[0.1, 0.05, 0.8, 0.025, 0.025]], dtype=np.float32))
    (tags,) = viterbi().decode([scores])
    assert TAGS[tags[0]] == "O"


def test_texts_decode_alike_alone_and_together() -> None:
    batch = [log_probabilities(seed, seed * 3) for seed in range(8)]
    together = viterbi().decode(batch)
    for scores, tags in zip(batch, together, strict=True):
        assert tags.tolist() == viterbi().decode([scores])[0].tolist()


def test_word_nobody_decided_is_outside() -> None:
    inside = np.log(np.array([[0.02, 0.9, 0.02, 0.03, 0.03], [0.02, 0.02, 0.9, 0.03, 0.03]], dtype=np.float32))
    (emissions,) = gather([(0, np.array([0, 2]))], [inside], sizes=[3], outside=0, tags=5)
    (tags,) = viterbi().decode([emissions])
    assert [TAGS[tag] for tag in tags][1] == "O"
    assert is_legal([TAGS[tag] for tag in tags])


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([], 1.0), ([1.0], 1.0), ([0.5], 0.5), ([0.9, 0.1], 0.3), ([0.5] * 100_000, 0.5), ([1e-30] * 100_000, 1e-30)],
)
def test_scores_are_geometric_means(probabilities: list[float], expected: float) -> None:
    chosen = np.log(np.array(probabilities, dtype=np.float32))
    assert prediction_score(chosen) == pytest.approx(expected, rel=1e-3)
    assert region_score(chosen) == prediction_score(chosen)


@given(st.lists(st.floats(-1e6, 0.0), max_size=20))
def test_score_is_always_a_probability(logarithms: list[float]) -> None:
    assert 0.0 <= prediction_score(np.array(logarithms, dtype=np.float32)) <= 1.0
