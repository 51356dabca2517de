"""Loads the token classifier that training starts from: a base model, or an earlier version."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from backend.errors import BaseModelUnavailable
from backend.inference.imported import Imported
from backend.inference.tagger import MAX_LENGTH
from backend.training.base_model import embedded, hub
from converters.bio import tag_set

EMBEDDED = "embedded"


def load_classifier(
    name: str, labels: Sequence[str], *, start: Path | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a model that scores the BIO tags of ``labels``, and its tokenizer.

    Without ``start`` it is the encoder ``name`` (``embedded``, a local folder or a name on the Hugging Face hub) with a
    new head. With ``start``, the folder of an earlier version, it is that version; its head keeps the rows of the tags
    it has and gets new rows for the others; of an imported version it keeps those of mapped labels. Weights are read
    from safetensors only and no code of a repository is run. New weights come from torch's global random generator.
    Raises `BaseModelUnavailable`, within about a minute if the hub cannot be reached.
    """
    tags = tag_set(labels)
    with quiet():
        if start is not None:
            model, tokenizer = _from_version(start, tags)
        else:
            model, tokenizer = embedded.load(tags) if name == EMBEDDED else _open(name, tags)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise BaseModelUnavailable(f"BASELINE_MODEL_NAME={name} has no fast tokenizer (tokenizer.json): {hub.REMEDY}.")
    adapt(tokenizer, model)
    return model, tokenizer


def has_same_labels(version: Path, labels: Sequence[str]) -> bool:
    """Whether the version in a folder has exactly these labels."""
    config = AutoConfig.from_pretrained(version, local_files_only=True)
    return set(config.label2id) == set(tag_set(labels))


@contextmanager
def quiet() -> Iterator[None]:
    """Inside the block, transformers and the hub show no warnings (of an untrained head) and no progress bars."""
    verbosity = transformers.logging.get_verbosity()
    bars, hub_bars = transformers.logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
        if hub_bars:
            enable_progress_bars()


def _from_version(version: Path, tags: Sequence[str]) -> tuple[PreTrainedModel, object]:
    model, tokenizer = _from_pretrained(version, tags)
    earlier = AutoModelForTokenClassification.from_pretrained(version, use_safetensors=True, local_files_only=True)
    imported, ids = Imported.read(version), earlier.config.label2id
    shared = imported.head_rows(tags) if imported else {row: ids[tag] for row, tag in enumerate(tags) if tag in ids}
    rows, earlier_rows = list(shared), list(shared.values())
    head = _head(model)
    head.reset_parameters()
    with torch.no_grad():
        for values, earlier_values in zip(head.parameters(), _head(earlier).parameters(), strict=True):
            values[rows] = earlier_values[earlier_rows]
    return model, tokenizer


def _head(model: PreTrainedModel) -> torch.nn.Linear:
    """The last linear layer of a token classifier: one row for each tag."""
    return [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]


def _open(name: str, tags: Sequence[str]) -> tuple[PreTrainedModel, object]:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or name.startswith((".", "~")):
            raise BaseModelUnavailable(f"BASELINE_MODEL_NAME={name} is a path, but no folder is there: {hub.REMEDY}.")
        folder = hub.fetch(name)
    try:
        return _from_pretrained(folder, tags)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError and more for unusable files
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BaseModelUnavailable(
            f"BASELINE_MODEL_NAME={name} cannot be loaded as an encoder ({reason}): {hub.REMEDY}."
        ) from error


def _from_pretrained(folder: Path, tags: Sequence[str]) -> tuple[PreTrainedModel, object]:
    config = AutoConfig.from_pretrained(
        folder,
        local_files_only=True,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
    )
    model = AutoModelForTokenClassification.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # the base model may be a classifier of other tags: its head is replaced
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if _is_byte_level(tokenizer):
        # Such tokenizers tell a word's beginning by the space before it, which words given one by one do not have.
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, add_prefix_space=True)
    return model, tokenizer


def _is_byte_level(tokenizer: object) -> bool:
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return False
    return "ByteLevel" in json.dumps(json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"])


def adapt(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> None:
    """Set the tokenizer to the model's maximum length and inputs, so that its saved files have them too."""
    tokenizer.model_max_length = min(MAX_LENGTH, tokenizer.model_max_length, _positions(model))
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    accepted = inspect.signature(model.forward).parameters
    tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name in accepted]
    for leftover in ("max_length", "stride", "truncation_strategy", "is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(leftover, None)


def _positions(model: PreTrainedModel) -> int:
    """Longest input that the position embeddings allow; RoBERTa models number positions from the padding id on."""
    config = model.config
    limit = getattr(config, "max_position_embeddings", None) or MAX_LENGTH
    counts_from_padding = config.model_type in {"roberta", "xlm-roberta", "camembert", "longformer"}
    return int(limit - config.pad_token_id - 1 if counts_from_padding else limit)
