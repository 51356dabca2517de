from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.inference.decode import Viterbi, gather, restrict, tag_mask
from converters.bio import is_legal, starts, tag_set, transitions

TAGS = tag_set(["X", "Y"])

Floats = NDArray[np.float32]


def viterbi() -> Viterbi:
    return Viterbi(transitions(TAGS), starts(TAGS))


def log_probabilities(seed: int, words: int) -> Floats:
    scores = np.random.default_rng(seed).normal(size=(words, len(TAGS))) * 2
    totals = np.exp(scores).sum(axis=1, keepdims=True)
    return np.asarray(scores - np.log(totals), dtype=np.float32)


def best_by_brute_force(scores: Floats) -> float:
    legal = (path for path in product(range(len(TAGS)), repeat=len(scores)) if is_legal([TAGS[tag] for tag in path]))
    return max(float(sum(scores[step, tag] for step, tag in enumerate(path))) for path in legal)


@given(seed=st.integers(0, 10_000), lengths=st.lists(st.integers(0, 5), max_size=4))
def test_path_is_the_best_legal_one(seed: int, lengths: list[int]) -> None:
    batch = [log_probabilities(seed + row, length) for row, length in enumerate(lengths)]
    for scores, tags in zip(batch, viterbi().decode(batch), strict=True):
        assert len(tags) == len(scores)
        assert is_legal([TAGS[tag] for tag in tags])
        score = float(scores[np.arange(len(tags)), tags].sum())
        assert score == pytest.approx(best_by_brute_force(scores), abs=1e-5)


def test_inside_tag_is_never_first_however_probable() -> None:
    scores = np.log(np.array([[0.1, 0.05, 0.8, 0.025, 0.025]], dtype=np.float32))
    (tags,) = viterbi().decode([scores])
    assert TAGS[tags[0]] == "O"


def test_texts_decode_the_same_alone_and_in_a_batch() -> None:
    batch = [log_probabilities(seed, seed * 3) for seed in range(8)]
    decoded = viterbi().decode(batch)
    for scores, tags in zip(batch, decoded, strict=True):
        assert tags.tolist() == viterbi().decode([scores])[0].tolist()


def test_word_in_no_window_is_outside() -> None:
    inside = np.log(np.array([[0.02, 0.9, 0.02, 0.03, 0.03], [0.02, 0.02, 0.9, 0.03, 0.03]], dtype=np.float32))
    (emissions,) = gather([(0, np.array([0, 2]))], [inside], sizes=[3], outside=0, tags=5)
    (tags,) = viterbi().decode([emissions])
    assert [TAGS[tag] for tag in tags][1] == "O"
    assert is_legal([TAGS[tag] for tag in tags])


@given(seed=st.integers(0, 10_000), lengths=st.lists(st.integers(0, 12), max_size=6))
def test_legal_text_among_illegal_ones_keeps_its_most_probable_tags(seed: int, lengths: list[int]) -> None:
    batch = [log_probabilities(seed + row, length) for row, length in enumerate(lengths)]
    for scores, tags in zip(batch, viterbi().decode(batch), strict=True):
        likeliest = scores.argmax(axis=1)
        if is_legal([TAGS[tag] for tag in likeliest]):
            assert tags.tolist() == likeliest.tolist()


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [
        (None, ["O", "B-X", "I-X", "B-Y", "I-Y"]),
        (("X", "Y"), ["O", "B-X", "I-X", "B-Y", "I-Y"]),
        ({"Y"}, ["O", "B-Y", "I-Y"]),
        (("Y", "not of the model"), ["O", "B-Y", "I-Y"]),
        (("B-X",), ["O"]),
        ((), ["O"]),
    ],
)
def test_text_may_have_the_tags_of_the_labels_it_offers(labels: tuple[str, ...] | None, allowed: list[str]) -> None:
    assert [tag for tag, is_allowed in zip(TAGS, tag_mask(TAGS, labels), strict=True) if is_allowed] == allowed


@given(seed=st.integers(0, 10_000), words=st.integers(0, 5), labels=st.sets(st.sampled_from(["X", "Y"])))
def test_restricted_scores_are_probabilities_of_the_allowed_tags(seed: int, words: int, labels: set[str]) -> None:
    scores, allowed = log_probabilities(seed, words), tag_mask(TAGS, labels)
    restricted = restrict(scores, allowed)
    assert np.isneginf(restricted[:, ~allowed]).all()
    assert np.exp(restricted).sum(axis=1) == pytest.approx(np.ones(words), abs=1e-5)
    ratios = np.exp(scores[:, allowed]) / np.exp(scores[:, allowed]).sum(axis=1, keepdims=True)
    assert np.exp(restricted[:, allowed]) == pytest.approx(ratios, abs=1e-5)


def test_each_word_may_have_its_own_restriction() -> None:
    scores = log_probabilities(1, 2)
    masks = np.stack([tag_mask(TAGS, ["X"]), tag_mask(TAGS, ["Y"])])
    expected = np.concatenate([restrict(scores[:1], masks[0]), restrict(scores[1:], masks[1])])
    assert np.array_equal(restrict(scores, masks), expected)


@given(seed=st.integers(0, 10_000), words=st.integers(0, 5))
def test_best_path_of_restricted_scores_has_only_allowed_tags(seed: int, words: int) -> None:
    scores = restrict(log_probabilities(seed, words), tag_mask(TAGS, ["Y"]))
    (tags,) = viterbi().decode([scores])
    assert is_legal([TAGS[tag] for tag in tags])
    assert {TAGS[tag] for tag in tags} <= {"O", "B-Y", "I-Y"}
    # Without tags of X, the best path is that of a model that never learnt X.
    smaller = tag_set(["Y"])
    (alone,) = Viterbi(transitions(smaller), starts(smaller)).decode([scores[:, [0, 3, 4]]])
    assert [TAGS[tag] for tag in tags] == [smaller[tag] for tag in alone]
