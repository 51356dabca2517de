from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import (
    DistilBertConfig,
    DistilBertForTokenClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForTokenClassification,
)

from backend.training.acceleration.embeddings import compact_embeddings
from converters.bio import tag_set

ID2LABEL = dict(enumerate(tag_set(["Dish"])))


def distilbert() -> PreTrainedModel:
    torch.manual_seed(1)
    config = DistilBertConfig(dim=8, hidden_dim=16, n_layers=1, n_heads=2, vocab_size=50, id2label=ID2LABEL)
    model = DistilBertForTokenClassification(config)
    model.eval()
    return model


def roberta() -> PreTrainedModel:
    torch.manual_seed(1)
    config = RobertaConfig(
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=50,
        id2label=ID2LABEL,
    )
    model = RobertaForTokenClassification(config)
    model.eval()
    return model


def embeddings(model: PreTrainedModel) -> torch.nn.Parameter:
    return model.get_input_embeddings().get_parameter("weight")


@pytest.mark.parametrize("make", [distilbert, roberta])
def test_smaller_table_gives_the_same_logits(make: Callable[[], PreTrainedModel]) -> None:
    model = make()
    padding = model.config.pad_token_id
    ids = torch.tensor([[7, 12, 40, padding]])
    mask = torch.tensor([[1, 1, 1, 0]])
    expected = model(input_ids=ids, attention_mask=mask).logits
    with compact_embeddings(model, {7, 12, 40}):
        assert embeddings(model).shape == (4, 8)
        assert torch.equal(model(input_ids=ids, attention_mask=mask).logits, expected)
    assert embeddings(model).shape == (50, 8)
    assert torch.equal(model(input_ids=ids, attention_mask=mask).logits, expected)


def test_trained_rows_are_written_back_even_after_an_error() -> None:
    model = distilbert()
    before = embeddings(model).detach().clone()

    def learn() -> None:
        with compact_embeddings(model, {7, 12}):
            embeddings(model).data += 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn()
    changed = (embeddings(model) != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == [0, 7, 12]  # 0 is the padding piece


def test_a_tied_table_stays_whole() -> None:
    model = distilbert()
    other = torch.nn.Linear(8, 50, bias=False)
    other.weight = embeddings(model)
    model.other = other
    with compact_embeddings(model, {7}):
        assert embeddings(model).shape == (50, 8)
