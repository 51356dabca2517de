from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerFast

from backend.inference.tagger import Tagger
from backend.training import emissions as module
from backend.training.devices import Devices
from backend.training.emissions import Emissions
from backend.training.examples import Collator, make_examples
from converters.bio import spans_to_tags, tag_set
from converters.document import Document
from tests.samples import LABELS

CPU = Devices(torch.device("cpu"), 0, 1, bf16=False)


@pytest.fixture
def documents(sample_documents: list[Document]) -> list[Document]:
    long = " ".join(document.text for document in sample_documents)
    return [*sample_documents[:5], Document("empty", ""), Document("long", long)]


def read(folder: Path, documents: list[Document]) -> tuple[Emissions, PreTrainedModel]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    examples = make_examples(documents, labels=LABELS, tokenizer=tokenizer)
    ready = Emissions(examples, LABELS, CPU, Collator(pad_id=tokenizer.pad_token_id or 0))
    return ready, AutoModelForTokenClassification.from_pretrained(folder)


def test_rows_are_what_serving_computes(
    version_folder: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECES", 64)  # several batches
    ready, model = read(version_folder, documents)
    model.train()
    found = ready.of_documents(ready.of_windows(model))
    assert model.training
    assert [len(rows) for rows in found] == [len(spans_to_tags(each.text, each.spans).words) for each in documents]
    tagger = Tagger.load(version_folder, device="cpu", precision="fp32")
    for document, rows, tagging in zip(documents, found, tagger.tag([each.text for each in documents]), strict=True):
        best = float(np.exp(rows.max(axis=1).mean())) if len(rows) else 1.0
        assert best == pytest.approx(tagging.score, abs=0.02), document.id


def test_gold_is_the_tags_of_the_words_that_windows_decide(version_folder: Path, documents: list[Document]) -> None:
    ready, model = read(version_folder, documents)
    tags = tag_set(LABELS)
    by_window = [tags[tag] for window in ready.gold for tag in window]
    assert by_window == [tag for each in documents for tag in spans_to_tags(each.text, each.spans).tags]
    assert [len(rows) for rows in ready.of_windows(model)] == [len(gold) for gold in ready.gold]
    assert not model.training
