"""Opens a token classifier that was trained elsewhere, as it was trained; `encoder` opens models to train from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from backend.errors import UnusableModel
from backend.inference.imported import UnusableTags, read_tags
from backend.training.base_model import hub
from backend.training.base_model.encoder import adapt, quiet

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")

_REMEDY = "check the name, or give a folder that contains the model"


@dataclass(frozen=True, slots=True)
class Classifier:
    """A token classifier, its tokenizer, and how its tags mark entities (`backend.inference.imported`)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    scheme: str
    tags: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def subword_prefix(self) -> str | None:
        """What marks pieces that continue a word, ``##`` for WordPiece; ``None`` where nothing does."""
        return getattr(self.tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None) or None

    @property
    def unknown(self) -> int | None:
        """The id of the piece for what the tokenizer does not know."""
        return self.tokenizer.unk_token_id


def open_classifier(name: str) -> Classifier:
    """Open a folder, or a model of the Hugging Face hub, for CPU and in fp32.

    Weights are read from safetensors only and no code of a repository is run. Raises `UnusableModel` where it is no
    token classifier with named tags and a fast tokenizer, `BaseModelUnavailable` where the hub does not deliver it.
    """
    folder = _folder(name)
    with quiet():
        config = _config(name, folder)
        tags, scheme, types = _tags(name, config)
        model = _model(name, folder, config)
        tokenizer = _tokenizer(name, folder, config)
    adapt(tokenizer, model)
    return Classifier(model, tokenizer, scheme, tags, types)


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith((".", "~")):
        raise UnusableModel(f"There is no folder {name}: {_REMEDY}.")
    return hub.fetch(name, subject=f"The model {name}", remedy=_REMEDY)


def _config(name: str, folder: Path) -> PreTrainedConfig:
    if not (folder / "config.json").is_file():
        raise UnusableModel(f"{name} has no config.json, so it is no model: {_REMEDY}.")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError and more for unusable files
        raise UnusableModel(f"The config.json of {name} cannot be read ({_first_line(error)}): {_REMEDY}.") from error
    architectures = config.architectures or []
    if architectures and not any(kind.endswith("ForTokenClassification") for kind in architectures):
        raise UnusableModel(
            f"{name} is a {' / '.join(architectures)}, not a token classifier: import a model for named entities, or "
            f"set BASELINE_MODEL_NAME={name} to train from it."
        )
    return config


def _tags(name: str, config: PreTrainedConfig) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    tags = tuple(name for _, name in sorted((int(index), str(name)) for index, name in (config.id2label or {}).items()))
    try:
        scheme, read = read_tags(tags)
    except UnusableTags as error:
        raise UnusableModel(
            f"{name} cannot be imported, because {error}: write its tags (O, B-PER, I-PER, …) into `id2label` of its "
            "config.json, in a copy of its folder."
        ) from error
    if len(set(tags)) < len(tags):
        raise UnusableModel(f"{name} has a tag twice: mend `id2label` of its config.json in a copy of its folder.")
    return tags, scheme, tuple(dict.fromkeys(tag.type for tag in read if tag.type != "O"))


def _model(name: str, folder: Path, config: PreTrainedConfig) -> PreTrainedModel:
    if not any(folder.glob("*.safetensors")):
        raise UnusableModel(
            f"{name} has no weights in safetensors, and pickled weights can run code: save it again with "
            "`model.save_pretrained(FOLDER, safe_serialization=True)` where you trust it, and import that folder."
        )
    loading: dict[str, Any]
    try:
        model, loading = AutoModelForTokenClassification.from_pretrained(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # as above
        raise UnusableModel(
            f"{name} cannot be loaded as a token classifier ({_first_line(error)}): {_REMEDY}."
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise UnusableModel(
            f"{name} lacks weights of a token classifier ({', '.join(missing[:3])}): import a model for named "
            f"entities, or set BASELINE_MODEL_NAME={name} to train from it."
        )
    return model.eval()


def _tokenizer(name: str, folder: Path, config: PreTrainedConfig) -> PreTrainedTokenizerFast:
    remedy = "copy the tokenizer's files (tokenizer.json) of the model it was trained from into its folder"
    if not any(next(folder.glob(pattern), None) for pattern in _TOKENIZER_FILES):
        raise UnusableModel(f"{name} has no tokenizer: {remedy}.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # as above
        raise UnusableModel(f"The tokenizer of {name} cannot be opened ({_first_line(error)}): {remedy}.") from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UnusableModel(
            f"{name} has only a slow tokenizer: save a fast one (tokenizer.json) into its folder with "
            "`AutoTokenizer.from_pretrained(NAME, use_fast=True).save_pretrained(FOLDER)`."
        )
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest >= config.vocab_size:
        raise UnusableModel(
            f"The tokenizer of {name} has piece {largest}, its model only {config.vocab_size} pieces: {remedy}."
        )
    return tokenizer


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
