from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from backend.errors import BaseModelUnavailable
from backend.training.base_model import hub
from backend.training.base_model.encoder import load_classifier
from converters.bio import tag_set

LABELS = ["Dish", "Place"]


def encoder(model: PreTrainedModel) -> torch.nn.Module:
    return model.get_submodule("distilbert")


def head(model: PreTrainedModel) -> torch.nn.Parameter:
    """The weights of the classifier: a row for each tag."""
    return model.get_parameter("classifier.weight")


def check_tags(model: PreTrainedModel, tags: Sequence[str]) -> None:
    assert model.config.id2label == dict(enumerate(tags))
    assert model.config.label2id == {tag: row for row, tag in enumerate(tags)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded encoder as a local folder."""
    folder = tmp_path_factory.mktemp("encoder")
    model, tokenizer = load_classifier("embedded", ["Other"])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_local_folder_is_loaded_under_a_new_head(saved: Path) -> None:
    expected, _ = load_classifier("embedded", LABELS)
    model, tokenizer = load_classifier(str(saved), LABELS)
    check_tags(model, ["O", "B-Dish", "I-Dish", "B-Place", "I-Place"])
    for name, values in encoder(model).state_dict().items():
        assert torch.equal(values, encoder(expected).state_dict()[name])
    assert tokenizer.model_max_length == 512


def test_hub_name_is_fetched_and_loaded(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "fetch", {"somebody/encoder": saved}.__getitem__)
    model, _ = load_classifier("somebody/encoder", LABELS)
    assert model.config.num_labels == 5


def test_tokenizer_neither_pads_nor_truncates(saved: Path) -> None:
    for name in ("embedded", str(saved)):
        _, tokenizer = load_classifier(name, LABELS)
        assert tokenizer.backend_tokenizer.truncation is None
        assert tokenizer.backend_tokenizer.padding is None
        assert "token_type_ids" not in tokenizer("Thai")


def test_same_random_state_gives_the_same_head() -> None:
    heads = []
    for _ in range(2):
        torch.manual_seed(7)
        heads.append(head(load_classifier("embedded", LABELS)[0]))
    first, second = heads
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["/no/such/folder", "./nowhere", "~/no-such-folder-here"])
def test_missing_folder_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(BaseModelUnavailable, match="is a path, but no folder is there"):
        load_classifier(name, LABELS)


@pytest.mark.parametrize("content", [{}, {"config.json": {"model_type": "distilbert"}}, {"config.json": {}}])
def test_folder_without_a_model_is_explained_in_one_line(tmp_path: Path, content: dict[str, object]) -> None:
    for name, values in content.items():
        (tmp_path / name).write_text(json.dumps(values))
    with pytest.raises(BaseModelUnavailable, match="cannot be loaded as an encoder") as caught:
        load_classifier(str(tmp_path), LABELS)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    for file in saved.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BaseModelUnavailable, match="cannot be loaded as an encoder"):
        load_classifier(str(tmp_path), LABELS)


def version_of(tmp_path: Path, labels: Sequence[str]) -> Path:
    torch.manual_seed(3)
    model, tokenizer = load_classifier("embedded", labels)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "labels",
    [
        ("Dish", "Cuisine", "Location"),
        ("Location", "Dish", "Cuisine"),  # in another order
        ("Dish", "Cuisine", "Location", "Price"),  # one added
        ("Cuisine",),  # two removed
        ("Dish", "Kitchen", "Location"),  # one renamed
    ],
)
def test_training_from_a_version_keeps_the_head_of_each_label(tmp_path: Path, labels: tuple[str, ...]) -> None:
    folder = version_of(tmp_path, LABELS)
    earlier, _ = load_classifier("embedded", LABELS, start=folder)
    model, _ = load_classifier("embedded", labels, start=folder)
    earlier_tags = tag_set(LABELS)
    check_tags(earlier, earlier_tags)
    check_tags(model, tag_set(labels))
    for tag, weights in zip(tag_set(labels), head(model), strict=True):
        same = [torch.equal(weights, earlier_weights) for earlier_weights in head(earlier)]
        assert same == [earlier_tag == tag for earlier_tag in earlier_tags]
    weight = "transformer.layer.0.ffn.lin1.weight"
    assert torch.equal(encoder(model).get_parameter(weight), encoder(earlier).get_parameter(weight))
