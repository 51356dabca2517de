from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.errors import NotEnoughLabels, RunCancelled
from backend.recipe import Recipe
from backend.training import cross_validation as module
from backend.training.base_model.encoder import load_classifier
from backend.training.cross_validation import cross_validate
from backend.training.label_issues import rank
from backend.training.split import part
from converters.bio import spans_to_tags, tag_set
from converters.document import Document, Span
from tests import samples
from tests.samples import LABELS

RECIPE = Recipe(base="embedded", batch_size=8)

Trained = list[tuple[set[str], Recipe]]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Training that learns nothing; the list says what each model was given."""
    seen: Trained = []

    def fine_tune(
        train: Sequence[Document],
        validation: Sequence[Document],
        *,
        labels: Sequence[str],
        recipe: Recipe,
        progress: Callable[[float], None],
    ) -> Any:
        assert not validation
        seen.append(({document.id for document in train}, recipe))
        progress(0.5)
        progress(1.0)
        return *load_classifier(recipe.base, labels), {}

    monkeypatch.setattr(module, "fine_tune", fine_tune)
    return seen


def checked(documents: Sequence[Document], **options: Any) -> list[Any]:
    given: dict[str, Any] = {"labels": LABELS, "recipe": RECIPE, "progress": lambda _: None, **options}
    return cross_validate(documents, **given)


def test_each_document_is_read_by_the_model_that_was_not_trained_on_it(trained: Trained) -> None:
    documents = samples.documents(12)
    emissions = checked(documents, folds=3)
    everything = {document.id for document in documents}
    held_out = [everything - train for train, _ in trained]
    assert sorted(id for ids in held_out for id in ids) == sorted(everything)
    assert held_out == [{id for id in everything if part(id, 3) == number} for number in range(3)]
    for document, scores in zip(documents, emissions, strict=True):
        words = spans_to_tags(document.text, document.spans).words
        assert scores.shape == (len(words), len(tag_set(LABELS)))
        assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(len(words)), abs=1e-3)


def test_progress_rises_to_one_over_all_folds(trained: Trained) -> None:
    seen: list[float] = []
    checked(samples.documents(12), folds=2, progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_what_progress_raises_ends_it(trained: Trained) -> None:
    def cancel(_: float) -> None:
        raise RunCancelled("a run is waiting")

    with pytest.raises(RunCancelled):
        checked(samples.documents(12), progress=cancel)
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("documents", "asked", "expected"),
    [
        (8, None, 30),  # few documents: no more passes than are of use
        (160, None, 7),  # about 120 on the other folds, 15 steps a pass
        (2000, None, 2),
        (8, 3.0, 3),
        (160, 0.5, 0.5),
    ],
)
def test_models_are_trained_no_longer_than_ranking_needs(documents: int, asked: float | None, expected: float) -> None:
    recipe = replace(RECIPE, epochs=asked)
    assert module._epochs(round(documents * 0.75), recipe) == expected


def test_rest_of_the_recipe_is_the_projects(trained: Trained) -> None:
    checked(samples.documents(12), folds=2, recipe=replace(RECIPE, seed=7, epochs=1.0, weight_decay=0.5))
    assert {recipe for _, recipe in trained} == {replace(RECIPE, seed=7, epochs=1.0, weight_decay=0.5)}


def test_texts_without_words_have_no_rows(trained: Trained) -> None:
    documents = [*samples.documents(6), Document("empty", ""), Document("blank", " \n")]
    assert [scores.shape for scores in checked(documents, folds=2)[-2:]] == [(0, 7), (0, 7)]


@pytest.mark.parametrize("documents", [[], samples.documents(1)])
def test_too_few_documents_to_check_each_by_others(documents: list[Document], trained: Trained) -> None:
    with pytest.raises(NotEnoughLabels, match=f"{len(documents)} labelled tasks are too few"):
        checked(documents)
    assert trained == []


def test_spoilt_label_is_the_first_suspect() -> None:
    documents = samples.documents(40)
    number = next(index for index, document in enumerate(documents) if document.spans)
    right = documents[number].spans[0]
    wrong = Span(right.start, right.end, "Location" if right.label != "Location" else "Dish")
    documents[number] = replace(documents[number], spans=(wrong, *documents[number].spans[1:]))
    emissions = checked(documents, folds=2, recipe=replace(RECIPE, epochs=8.0))
    first = rank(documents, emissions, labels=LABELS)[0]
    assert (first.document, first.given, first.kind) == (documents[number].id, wrong, "wrong label")
    assert first.found[0].label == right.label
