from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, DistilBertConfig, DistilBertForTokenClassification

from backend.training.fine_tuning.optimizer import LAYER_DECAY, Optimizer, peak_lr
from converters.bio import tag_set

ID2LABEL = dict(enumerate(tag_set(["Dish"])))
SMALL = DistilBertConfig(dim=8, hidden_dim=16, n_layers=2, n_heads=2, vocab_size=20, id2label=ID2LABEL)


def rates(model: torch.nn.Module, optimizer: Optimizer) -> dict[str, float]:
    groups = optimizer._adamw.param_groups
    by_id = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    return {name: by_id[id(parameter)] for name, parameter in model.named_parameters() if id(parameter) in by_id}


def test_deeper_layers_learn_more_slowly() -> None:
    model = DistilBertForTokenClassification(SMALL)
    learning_rates = rates(model, Optimizer(model, peak_lr=1.0, weight_decay=0.1))
    assert learning_rates["classifier.weight"] == 1.0
    assert learning_rates["distilbert.transformer.layer.1.ffn.lin1.weight"] == pytest.approx(LAYER_DECAY)
    assert learning_rates["distilbert.transformer.layer.0.attention.q_lin.bias"] == pytest.approx(LAYER_DECAY**2)
    assert learning_rates["distilbert.embeddings.word_embeddings.weight"] == pytest.approx(LAYER_DECAY**3)
    assert len(learning_rates) == len(list(model.parameters()))


def test_layers_are_found_in_another_family() -> None:
    config = BertConfig(
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        vocab_size=20,
        id2label=ID2LABEL,
    )
    model = BertForTokenClassification(config)
    learning_rates = rates(model, Optimizer(model, peak_lr=1.0, weight_decay=0.1))
    assert learning_rates["bert.encoder.layer.0.output.dense.weight"] == pytest.approx(LAYER_DECAY**3)


def test_biases_norms_and_embeddings_do_not_decay() -> None:
    model = DistilBertForTokenClassification(SMALL)
    optimizer = Optimizer(model, peak_lr=1.0, weight_decay=0.1)
    decayed = {
        id(parameter)
        for group in optimizer._adamw.param_groups
        if group["weight_decay"]
        for parameter in group["params"]
    }
    names = {name for name, parameter in model.named_parameters() if id(parameter) in decayed}
    assert "classifier.weight" in names
    assert not [name for name in names if "bias" in name or "norm" in name.lower() or "embeddings" in name]


def test_large_gradients_are_clipped_and_dropped() -> None:
    model = DistilBertForTokenClassification(SMALL)
    optimizer = Optimizer(model, peak_lr=0.1, weight_decay=0.0)
    before = model.classifier.weight.detach().clone()
    model(input_ids=torch.tensor([[1, 2, 3]])).logits.sum().mul(1e6).backward()
    optimizer.step(0.5)
    assert model.classifier.weight.grad is None
    assert 0 < (model.classifier.weight - before).abs().max() <= 0.05 * 1.01


@pytest.mark.parametrize(("width", "expected"), [(384, 5e-4), (512, 5e-4), (768, 5e-5)])
def test_narrow_encoders_take_larger_steps(width: int, expected: float) -> None:
    config = DistilBertConfig(dim=width, hidden_dim=8, n_layers=1, n_heads=2, vocab_size=20)
    assert peak_lr(DistilBertForTokenClassification(config)) == expected
