from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerFast

from backend.inference.decode import tag_mask
from backend.inference.tagger import Tagger
from backend.training.fine_tuning import emissions as module
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.emissions import Emissions
from backend.training.fine_tuning.examples import IGNORED, Collator, make_examples
from converters.bio import tag_set
from converters.document import Document, Span
from converters.tagged import TaggedDocument, tag_document
from tests.samples import LABELS, tagged

CPU = Devices(torch.device("cpu"), 0, 1, bf16=False)


@pytest.fixture
def documents(tagged_documents: list[TaggedDocument]) -> list[TaggedDocument]:
    long = " ".join(document.text for document in tagged_documents)
    return [*tagged_documents[:5], tagged("", id="empty"), tagged(long, id="long")]


def batched(folder: Path, documents: list[TaggedDocument]) -> tuple[Emissions, PreTrainedModel]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    examples = make_examples(documents, labels=LABELS, tokenizer=tokenizer)
    emissions = Emissions(examples, LABELS, CPU, Collator(pad_id=tokenizer.pad_token_id or 0))
    return emissions, AutoModelForTokenClassification.from_pretrained(folder)


def test_scores_are_those_of_serving(
    version_folder: Path, documents: list[TaggedDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECES", 64)  # several batches
    emissions, model = batched(version_folder, documents)
    model.train()
    scores = emissions.by_document(emissions.by_window(model))
    assert model.training
    assert [len(rows) for rows in scores] == [len(document.words) for document in documents]
    tagger = Tagger.load(version_folder, device="cpu", precision="fp32")
    for document, rows, tagging in zip(
        documents, scores, tagger.tag([document.text for document in documents]), strict=True
    ):
        best = float(np.exp(rows.max(axis=1).mean())) if len(rows) else 1.0
        assert best == pytest.approx(tagging.score, abs=0.02), document.id


def test_gold_is_the_tags_of_the_words_that_windows_decide(
    version_folder: Path, documents: list[TaggedDocument]
) -> None:
    emissions, model = batched(version_folder, documents)
    tags = tag_set(LABELS)
    by_window = [tags[tag] for window in emissions.gold for tag in window]
    assert by_window == [tag for document in documents for tag in document.tags]
    assert [len(rows) for rows in emissions.by_window(model)] == [len(gold) for gold in emissions.gold]
    assert not model.training


def test_text_that_offers_some_labels_gets_no_other_tags(version_folder: Path, documents: list[TaggedDocument]) -> None:
    offered = ("Dish", "Location")
    restricted = [replace(document, labels=offered) for document in documents]
    emissions, model = batched(version_folder, [*documents, *restricted])
    scores = emissions.by_document(emissions.by_window(model))
    allowed = tag_mask(tag_set(LABELS), offered)
    for rows, restricted_rows in zip(scores[: len(documents)], scores[len(documents) :], strict=True):
        assert np.isneginf(restricted_rows[:, ~allowed]).all()
        assert np.exp(restricted_rows).sum(axis=1) == pytest.approx(1.0)
        difference = restricted_rows[:, allowed] - rows[:, allowed]
        assert difference == pytest.approx(np.broadcast_to(difference[:, :1], difference.shape), abs=1e-4)


def test_word_of_unknown_tag_has_scores_and_no_gold_tag(version_folder: Path) -> None:
    document = tag_document(Document("1", "try ramen now", (Span(4, 9, "Dish"),), unreadable=(Span(0, 3, "x"),)))
    emissions, model = batched(version_folder, [document])
    assert emissions.gold[0].tolist() == [IGNORED, tag_set(LABELS).index("B-Dish"), 0]
    (rows,) = emissions.by_document(emissions.by_window(model))
    assert np.isfinite(rows).all()
