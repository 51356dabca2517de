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
from backend.training.label_issues import find_label_issues
from backend.training.split import bucket
from converters.bio import tag_set
from converters.document import Span
from converters.tagged import TaggedDocument, tag_document
from tests import samples
from tests.samples import LABELS, tagged

RECIPE = Recipe(base="embedded", batch_size=8)

Trained = list[tuple[set[str], Recipe]]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Training that learns nothing; the list has the documents and the recipe of each model."""
    calls: Trained = []

    def fine_tune(
        train: Sequence[TaggedDocument],
        validation: Sequence[TaggedDocument],
        *,
        labels: Sequence[str],
        recipe: Recipe,
        progress: Callable[[float], None],
    ) -> Any:
        assert not validation
        calls.append(({document.id for document in train}, recipe))
        progress(0.5)
        progress(1.0)
        return *load_classifier(recipe.base, labels), {}

    monkeypatch.setattr(module, "fine_tune", fine_tune)
    return calls


def validated(documents: Sequence[TaggedDocument], **options: Any) -> list[Any]:
    arguments: dict[str, Any] = {"labels": LABELS, "recipe": RECIPE, "progress": lambda _: None, **options}
    return cross_validate(documents, **arguments)


def test_each_document_is_scored_by_the_model_that_was_not_trained_on_it(trained: Trained) -> None:
    documents = samples.tagged_documents(12)
    emissions = validated(documents, folds=3)
    everything = {document.id for document in documents}
    held_out = [everything - train for train, _ in trained]
    assert sorted(id for ids in held_out for id in ids) == sorted(everything)
    assert held_out == [{id for id in everything if bucket(id, 3) == number} for number in range(3)]
    for document, scores in zip(documents, emissions, strict=True):
        assert scores.shape == (len(document.words), len(tag_set(LABELS)))
        assert np.exp(scores).sum(axis=1) == pytest.approx(np.ones(len(document.words)), abs=1e-3)


def test_progress_rises_to_one_over_all_folds(trained: Trained) -> None:
    fractions: list[float] = []
    validated(samples.tagged_documents(12), folds=2, progress=fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]


def test_exception_in_the_progress_callback_ends_it(trained: Trained) -> None:
    def cancel(_: float) -> None:
        raise RunCancelled("a run is waiting")

    with pytest.raises(RunCancelled):
        validated(samples.tagged_documents(12), progress=cancel)
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("documents", "epochs", "expected"),
    [
        (8, None, 30),  # few documents: no more epochs than are useful
        (160, None, 7),  # about 120 on the other folds, 15 steps an epoch
        (2000, None, 2),
        (8, 3.0, 3),
        (160, 0.5, 0.5),
    ],
)
def test_models_are_trained_no_longer_than_ranking_needs(documents: int, epochs: float | None, expected: float) -> None:
    recipe = replace(RECIPE, epochs=epochs)
    assert module._epochs(round(documents * 0.75), recipe) == expected


def test_other_parameters_of_the_recipe_are_kept(trained: Trained) -> None:
    validated(samples.tagged_documents(12), folds=2, recipe=replace(RECIPE, seed=7, epochs=1.0, weight_decay=0.5))
    assert {recipe for _, recipe in trained} == {replace(RECIPE, seed=7, epochs=1.0, weight_decay=0.5)}


def test_texts_without_words_have_no_rows(trained: Trained) -> None:
    documents = [*samples.tagged_documents(6), tagged("", id="empty"), tagged(" \n", id="blank")]
    assert [scores.shape for scores in validated(documents, folds=2)[-2:]] == [(0, 7), (0, 7)]


@pytest.mark.parametrize("documents", [[], samples.tagged_documents(1)])
def test_too_few_documents_to_check_each_by_others(documents: list[TaggedDocument], trained: Trained) -> None:
    with pytest.raises(NotEnoughLabels, match=f"and {len(documents)} labelled tasks are too few"):
        validated(documents)
    assert trained == []


@pytest.mark.slow
def test_wrong_label_is_the_first_label_issue() -> None:
    documents = samples.documents(40)
    number = next(index for index, document in enumerate(documents) if document.spans)
    right = documents[number].spans[0]
    wrong = Span(right.start, right.end, "Location" if right.label != "Location" else "Dish")
    documents[number] = replace(documents[number], spans=(wrong, *documents[number].spans[1:]))
    with_mistake = [tag_document(document) for document in documents]
    emissions = validated(with_mistake, folds=2, recipe=replace(RECIPE, epochs=8.0))
    first = find_label_issues(with_mistake, emissions, labels=LABELS)[0]
    assert (first.document, first.given, first.kind) == (documents[number].id, wrong, "wrong label")
    assert first.predicted[0].label == right.label
