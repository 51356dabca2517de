"""A version trained on the corpus from the embedded encoder; it is trained once, by `build_version`, and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from backend.inference.session import int8_is_exact
from backend.inference.tagger import INT8_FILE
from bench.corpus import Sentence
from converters import Document
from converters.bio import tags_to_spans
from converters.document import Word
from converters.tagged import TaggedDocument, tag_document

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "label-studio-ner-backend" / "bench"

LABELS = ("Amenity", "Cuisine", "Dish", "Hours", "Location", "Price", "Rating", "Restaurant_Name")

VERSION = "ner-v1"

# The code that the weights depend on, below backend/training.
_SOURCES = (
    "acceleration/dropout", "acceleration/embeddings", "base_model/embedded", "base_model/encoder", "build",
    "fine_tuning/average", "fine_tuning/devices", "fine_tuning/examples", "fine_tuning/fine_tune",
    "fine_tuning/optimizer", "fine_tuning/schedule", "fine_tuning/validation", "onnx/export", "onnx/precision",
    "onnx/quantize", "split",
)  # fmt: skip


def documents(sentences: Sequence[Sentence]) -> list[Document]:
    """One document a sentence, its words joined by single spaces; ids count from 1."""
    return [_document(str(number), sentence) for number, sentence in enumerate(sentences, start=1)]


def tagged_documents(sentences: Sequence[Sentence]) -> list[TaggedDocument]:
    """The same documents, tagged."""
    return [tag_document(document) for document in documents(sentences)]


def _document(name: str, sentence: Sentence) -> Document:
    words: list[Word] = []
    position = 0
    for text, _ in sentence:
        words.append(Word(text, position, position + len(text)))
        position += len(text) + 1
    spans = tags_to_spans(words, [tag for _, tag in sentence])
    return Document(name, " ".join(text for text, _ in sentence), tuple(spans))


def corpus_version(train: Sequence[Document], *, cache: Path = CACHE) -> Path:
    """Folder of a version trained on ``train``; it is trained once and kept in ``cache``."""
    folder = cache / _key(train) / VERSION
    if not folder.exists():
        print(f"Training the model on {len(train):,} texts, once; it is kept in {folder}", flush=True)
        began = time.perf_counter()
        _train(train, folder)
        print(f"Trained in {time.perf_counter() - began:.0f} s", flush=True)
    return folder


def _train(train: Sequence[Document], folder: Path) -> None:
    # Imported here: torch takes seconds to load, and a version that was kept needs no training.
    from backend.recipe import Recipe
    from backend.training.build import build_version

    staged = folder.with_name(f".{VERSION}-{os.getpid()}")
    try:
        recipe = Recipe(base="embedded")
        build_version(train, labels=LABELS, name=VERSION, recipe=recipe, folder=staged, progress=lambda *_: None)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _key(train: Sequence[Document]) -> str:
    """A hash of the documents and of the training code: a changed recipe makes another version."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((ROOT / "backend" / "training" / f"{name}.py").read_bytes())
    for document in train:
        digest.update(repr((document.text, document.spans)).encode())
    return digest.hexdigest()[:16]


def labels_of(version: Path) -> list[str]:
    """A version's labels, in the order of its tags."""
    tags = json.loads((version / "config.json").read_text(encoding="utf-8"))["id2label"].values()
    return list(dict.fromkeys(tag[2:] for tag in tags if tag != "O"))


def variant(version: Path, precision: str, target: Path) -> Path | None:
    """A copy of a version that serves its ``fp32`` or its ``int8`` file.

    ``None`` where int8 would not be served: training rejected it, or the processor lacks the instructions for it.
    """
    if precision == "int8" and not ((version / INT8_FILE).is_file() and int8_is_exact()):
        return None
    shutil.copytree(version, target)
    if precision == "fp32":
        (target / INT8_FILE).unlink(missing_ok=True)
    metrics = json.loads((target / "metrics.json").read_text(encoding="utf-8"))
    (target / "metrics.json").write_text(json.dumps(metrics | {"serving": precision}), encoding="utf-8")
    return target
