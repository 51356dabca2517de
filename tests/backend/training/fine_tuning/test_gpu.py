"""Fine-tuning on a CUDA device."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from backend.recipe import Recipe
from backend.training.fine_tuning.fine_tune import fine_tune
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document
from tests.samples import LABELS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.fixture
def little_memory() -> Iterator[None]:
    """The share of the device's memory that a batch of 512 examples does not fit into."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.75e9 / torch.cuda.get_device_properties(0).total_memory)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_model_is_trained_on_the_gpu_and_returned_on_the_cpu(tagged_documents: list[TaggedDocument]) -> None:
    recipe = Recipe(base="embedded", epochs=12, batch_size=8)
    model, _, info = fine_tune(
        tagged_documents[8:], tagged_documents[:8], labels=LABELS, recipe=recipe, progress=lambda _: None
    )
    assert info["device"] == torch.cuda.get_device_name(0)
    assert info["precision"] == ("bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32")
    assert info["evaluation_steps"][-1]["validation"]["f1"] > 0.8
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


@pytest.mark.usefixtures("little_memory")
def test_a_batch_that_does_not_fit_is_learnt_in_parts(sample_documents: list[Document]) -> None:
    long = [
        tag_document(Document(document.id, " ".join([document.text] * 20), document.spans))
        for document in sample_documents
    ]
    recipe = Recipe(base="embedded", epochs=1, batch_size=512)
    _, _, info = fine_tune(long * 8, (), labels=LABELS, recipe=recipe, progress=lambda _: None)
    assert info["steps"] > 0
