"""Texts in, labelled spans and scores out: the served model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from backend.errors import ModelError
from backend.inference.decode import Floats, Ints, Viterbi, gather, prediction_score, region_score
from backend.inference.session import OnnxSession
from backend.inference.windows import Window, WindowEncoder
from converters.bio import starts, tags_to_spans, transitions
from converters.document import Span, Word
from converters.words import words

ONNX_FILE = Path("onnx") / "model.onnx"

MAX_LENGTH = 512
"""Longest window in pieces, whatever the model allows: attention costs grow with the square of the length."""

_BATCH_PIECES = 2048
"""Padded pieces of one call of the model; more would only cost memory."""

_DECODE_WORDS = 65536
"""Padded words decoded at once."""


@dataclass(frozen=True, slots=True)
class Tagging:
    """What the model found in one text: spans with scores in text order, and its confidence in [0, 1]."""

    spans: tuple[Span, ...]
    score: float


class Tagger:
    """A model version, opened: finds labelled spans in any text. May be shared by threads.

    ``labels`` are the labels it knows, in the order of its tags.
    """

    labels: tuple[str, ...]

    def __init__(self, encoder: WindowEncoder, session: OnnxSession, tags: Sequence[str]) -> None:
        self._encoder = encoder
        self._session = session
        self._tags = tuple(tags)
        self._outside = self._tags.index("O")
        self._viterbi = Viterbi(transitions(list(tags)), starts(list(tags)))
        self.labels = tuple(dict.fromkeys(tag[2:] for tag in tags if tag != "O"))

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> Tagger:
        """Open a version's folder; raise `ModelError` when a file is missing or damaged.

        ``threads`` is the number of cores one call of the model may use, by default all this process may run on.
        """
        config = _read_json(folder / "config.json")
        tags = _tags(folder, config)
        session = OnnxSession(_existing(folder / ONNX_FILE), threads=threads)
        if session.width not in (None, len(tags)):
            raise ModelError(
                f"The model in {folder} is damaged: it scores {session.width} tags, config.json names {len(tags)}."
            )
        tokenizer = _read_tokenizer(folder / "tokenizer.json")
        length = _max_length(config, _read_json(folder / "tokenizer_config.json"))
        try:
            encoder = WindowEncoder(tokenizer, max_length=length)
        except ValueError as error:
            raise ModelError(f"The tokenizer in {folder} cannot be used: {error}.") from error
        return cls(encoder, session, tags)

    def tag(self, texts: Sequence[str]) -> list[Tagging]:
        """Tag texts: one `Tagging` for each, in order, whatever the texts are.

        ``text[span.start:span.end]`` is the exact text of an entity. Texts of similar length are computed together,
        which does not change what is found.
        """
        parts = [words(text) for text in texts]
        emissions = self._emissions(parts)
        taggings: list[Tagging | None] = [None] * len(texts)
        for batch in _batches([len(part) for part in parts], budget=_DECODE_WORDS):
            decoded = self._viterbi.decode([emissions[index] for index in batch])
            for index, tag_ids in zip(batch, decoded, strict=True):
                taggings[index] = self._tagging(parts[index], tag_ids, emissions[index])
        return [tagging for tagging in taggings if tagging is not None]

    def _emissions(self, parts: Sequence[Sequence[Word]]) -> list[Floats]:
        """Log-probabilities of shape (words, tags) for each text."""
        windows = self._encoder.encode([[word.text for word in part] for part in parts])
        order: list[Window] = []
        scores: list[Floats] = []
        for batch in _batches([len(window.input_ids) for window in windows], budget=_BATCH_PIECES):
            chosen = [windows[index] for index in batch]
            order += chosen
            scores += self._session.log_probabilities(chosen)
        return gather(
            [(window.text, window.words) for window in order],
            scores,
            sizes=[len(part) for part in parts],
            outside=self._outside,
            tags=len(self._tags),
        )

    def _tagging(self, part: Sequence[Word], tag_ids: Ints, emissions: Floats) -> Tagging:
        chosen = emissions[np.arange(len(tag_ids)), tag_ids]
        spans = tags_to_spans(list(part), [self._tags[tag] for tag in tag_ids])
        first = {word.start: index for index, word in enumerate(part)} if spans else {}
        last = {word.end: index for index, word in enumerate(part)} if spans else {}
        scored = (replace(span, score=region_score(chosen[first[span.start] : last[span.end] + 1])) for span in spans)
        return Tagging(spans=tuple(scored), score=prediction_score(chosen))


def _batches(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Group indices by similar length so that a group's padded size stays within ``budget``, longest first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelError(f"The model file {path} is missing: restore it, or train or promote another version.")
    return path


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(_existing(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The model file {path} is damaged: {error}.") from error
    if not isinstance(content, dict):
        raise ModelError(f"The model file {path} is damaged: it holds no JSON object.")
    return content


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(_existing(path)))
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare exceptions
        raise ModelError(f"The model file {path} is damaged: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _tags(folder: Path, config: dict[str, object]) -> list[str]:
    names = config.get("id2label")
    try:
        by_id = {int(key): str(name) for key, name in names.items()}  # type: ignore[attr-defined]
        tags = [by_id[index] for index in range(len(by_id))]
    except (AttributeError, ValueError, KeyError) as error:
        raise ModelError(f"The config.json in {folder} is damaged: `id2label` numbers no tags.") from error
    wrong = [tag for tag in tags if tag != "O" and tag[:2] not in {"B-", "I-"}]
    if wrong or "O" not in tags:
        raise ModelError(f"The model in {folder} does not use BIO tags: its tags are {', '.join(tags[:10])}.")
    return tags


def _max_length(*configs: dict[str, object]) -> int:
    """The smallest length that the model's files name, at most `MAX_LENGTH`."""
    named = [config.get(key) for config in configs for key in ("model_max_length", "max_position_embeddings")]
    return min([MAX_LENGTH, *(length for length in named if isinstance(length, int) and length > 0)])
