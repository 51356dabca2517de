"""What cannot be imported, and the sentence that says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from backend.errors import BaseModelUnavailable, UnusableModel
from backend.training.base_model import hub
from backend.training.base_model.classifier import open_classifier
from tests.backend.imported.conftest import Save
from tests.backend.imported.models import FAMILIES, IOB2


def change_config(**fields: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def empty_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def pickle_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


UNNAMED = {str(index): f"LABEL_{index}" for index in range(len(IOB2))}


@pytest.mark.parametrize("family", FAMILIES)
def test_folder_is_opened_as_it_was_trained(family: str, classifier_of: Save) -> None:
    classifier = open_classifier(str(classifier_of(family)))
    assert (classifier.tags, classifier.scheme, classifier.types) == (IOB2, "IOB2", ("PER", "LOC", "MISC"))
    assert classifier.subword_prefix == ("##" if family == "WordPiece" else None)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (change_config(architectures=["BertForSequenceClassification"]), "BertForSequenceClassification, not a token"),
        (change_config(architectures=["BertForMaskedLM"]), "is a BertForMaskedLM, not a token classifier"),
        (change_config(id2label=UNNAMED, label2id={}), "cannot be imported, because its tags have no names"),
        (change_config(model_type="unheard of"), r"config\.json of .* cannot be read"),
        (remove("config.json"), r"has no config\.json"),
        (remove("tokenizer.json", "tokenizer_config.json"), "has no tokenizer: copy"),
        (change_config(vocab_size=40), "cannot be loaded as a token classifier|its model only 40 pieces"),
        (empty_tokenizer, "The tokenizer of .* cannot be opened"),
        (pickle_weights, "has no weights in safetensors"),
    ],
)
def test_unusable_folder_is_explained_in_one_sentence(
    spoil: Callable[[Path], None], sentence: str, classifier_of: Save, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(classifier_of(), folder)
    spoil(folder)
    with pytest.raises(UnusableModel, match=sentence) as caught:
        open_classifier(str(folder))
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert ": " in message, "no remedy"


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "~/no model"])
def test_missing_folder_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(UnusableModel, match=f"There is no folder {name}"):
        open_classifier(name)


def test_name_is_fetched_from_the_hub(classifier_of: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "fetch", lambda name, **_: {"somebody/ner": classifier_of()}[name])
    assert open_classifier("somebody/ner").tags == IOB2


def test_hub_that_cannot_be_reached_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_download(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(hub, "snapshot_download", no_download)
    with pytest.raises(BaseModelUnavailable, match=r"The model somebody/ner cannot be downloaded .*check the name"):
        open_classifier("somebody/ner")
