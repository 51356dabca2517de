"""The served model: finds labelled spans in texts, with scores."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from tokenizers import Tokenizer

from backend.errors import ModelError
from backend.inference.batches import length_sorted
from backend.inference.bulk import bulk_threads, is_bulk, parts
from backend.inference.decode import Floats, Ints, Mask, gather_all, restrict
from backend.inference.decoders import BioDecoder, Decoder
from backend.inference.entities import prediction_scores, region_scores
from backend.inference.imported import IMPORTED_FILE, Imported, PieceEncoder, RunDecoder, average, trim
from backend.inference.micro_batching import MicroBatcher
from backend.inference.session import Device, OnnxSession, cuda_available, int8_is_exact
from backend.inference.windows import EncodedTexts, Window, WindowEncoder
from converters.document import Span, Word

ONNX_FILE = Path("onnx") / "model.onnx"

INT8_FILE = Path("onnx") / "model_quantized.onnx"
"""Exists only if its predictions were measured to be as good as those of `ONNX_FILE`."""

Precision = Literal["auto", "fp32", "int8"]

MAX_LENGTH = 512
"""Longest window in pieces, even where the model allows more: the cost of attention grows with the square."""

_BATCH_PIECES = 256
"""Padded pieces per call of the model: few enough for a layer's results to stay in a core's cache."""

_GPU_BATCH_PIECES = 16_384
"""The same for a GPU, which is not fully used with fewer."""


@dataclass(frozen=True, slots=True)
class Tagging:
    """The prediction for one text: spans with scores, in text order, and the confidence in all of it, in [0, 1]."""

    spans: tuple[Span, ...]
    score: float


OfferedLabels = Sequence[Collection[str] | None]
"""For each text, the labels that it offers; ``None`` where it offers all that the model knows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Taggings of some texts, in order, all made by one version."""

    version: str
    taggings: list[Tagging]


class Tagger:
    """An opened model version, which finds labelled spans in any text. Threads may share it.

    ``labels`` are the labels it predicts, in the order of its tags.
    """

    labels: tuple[str, ...]

    def __init__(self, encoder: TextEncoder, session: OnnxSession, decoder: Decoder) -> None:
        self._encoder = encoder
        self._session = session
        self._decoder = decoder
        self.labels = decoder.labels
        self._budget = _GPU_BATCH_PIECES if session.on_gpu else _BATCH_PIECES
        self._micro_batcher = MicroBatcher(session.log_probabilities, budget=self._budget)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1, device: Device = "auto", precision: Precision = "auto") -> Tagger:
        """Open a version's folder; raise `ModelError` when a file is missing or damaged.

        ``threads`` is the number of cores one call of the model may use. With one, many texts are still computed on
        all cores, in half the processor time, since batches in parallel do not wait for each other. ``device`` as for
        `OnnxSession`. On the CPU the int8 file is used where the version has one, unless ``precision`` is ``fp32``; a
        GPU computes in fp32.
        """
        imported = _read_imported(folder)
        tags = imported.tags if imported else _bio_tags(folder)
        session = _open_session(folder, threads=threads, device=device, precision=precision)
        if session.width not in (None, len(tags)):
            raise ModelError(
                f"The model in {folder} is damaged: it scores {session.width} tags, its files name {len(tags)}."
            )
        decoder = RunDecoder(imported) if imported else BioDecoder(tags)
        return cls(_text_encoder(folder, imported), session, decoder)

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]:
        """Tag any texts; returns one `Tagging` for each, in order.

        ``text[span.start:span.end]`` is the exact text of an entity. Texts of similar length are computed together,
        which does not change the result. ``labels`` restricts each text to some of the model's labels: the tags of
        others are excluded before decoding, and scores are probabilities among the tags that remain.
        """
        return [tagging for part in self.tag_parts(texts, labels) for tagging in part]

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:
        """The same in parts: a small request as one part, on this thread, a bulk request (`is_bulk`) in several.

        While the model computes a part, the next one is prepared and the spans of the one before it are made; at most
        three parts are in memory.
        """
        allowed = None if labels is None else self._allowed(labels)
        if is_bulk(texts):
            yield from self._tag_bulk(texts, allowed)
        else:
            part = self._prepare(texts, allowed)
            yield self._finish(part, map(self._micro_batcher, part.batches))

    def count_pieces(self, words: Sequence[str]) -> list[int]:
        """The number of word pieces that the model's tokenizer makes of each word."""
        return self._encoder.count_pieces(words)

    def _tag_bulk(self, texts: Sequence[str], allowed: Mask | None) -> Iterator[list[Tagging]]:
        threads = bulk_threads()
        waiting: deque[tuple[_Part, list[Future[list[Floats]]]]] = deque()
        first = 0
        for part_texts in parts(texts):
            end = first + len(part_texts)
            part = self._prepare(part_texts, None if allowed is None else allowed[first:end])
            first = end
            waiting.append((part, [threads.submit(self._session.log_probabilities, batch) for batch in part.batches]))
            if len(waiting) > 1:
                yield self._collect(*waiting.popleft())
        while waiting:
            yield self._collect(*waiting.popleft())

    def _collect(self, part: _Part, futures: Sequence[Future[list[Floats]]]) -> list[Tagging]:
        return self._finish(part, (future.result() for future in futures))

    def _allowed(self, labels: OfferedLabels) -> Mask | None:
        """The tags that each text may have, of shape (texts, tags); ``None`` where every text may have every tag."""
        distinct = {id(offered): offered for offered in labels}
        rows = {key: row for row, key in enumerate(distinct)}
        masks = np.array([self._decoder.mask(offered) for offered in distinct.values()])
        return None if masks.all() else masks[[rows[id(offered)] for offered in labels]]

    def _prepare(self, texts: Sequence[str], allowed: Mask | None) -> _Part:
        """Split texts into words and windows: everything before the model."""
        encoded = self._encoder.encode_texts(texts)
        groups = length_sorted([len(window.input_ids) for window in encoded.windows], budget=self._budget)
        return _Part(encoded, [[encoded.windows[index] for index in group] for group in groups], allowed)

    def _finish(self, part: _Part, scores: Iterable[list[Floats]]) -> list[Tagging]:
        """Make spans and scores, for all texts at once: everything after the model."""
        emissions = gather_all(
            [(window.text, window.words) for batch in part.batches for window in batch],
            [window_scores for batch in scores for window_scores in batch],
            sizes=part.encoded.sizes,
            outside=self._decoder.outside,
            tags=self._decoder.width,
        )
        sizes = part.encoded.sizes
        if part.encoded.pieces is not None:
            emissions = average(emissions, part.encoded.pieces)
            sizes = np.array(list(map(len, part.encoded.words)), dtype=np.int64)
        if part.allowed is not None:
            emissions = restrict(emissions, np.repeat(part.allowed, sizes, axis=0))
        tags = self._decoder.best_tags(emissions, sizes)
        chosen = emissions[np.arange(len(tags)), tags]
        spans, counts = self._spans(part.encoded.words, tags, chosen, sizes)
        of_texts = [tuple(islice(spans, count)) for count in counts]
        if part.encoded.untrimmed is not None:
            of_texts = list(map(trim, part.encoded.untrimmed, of_texts))
        return list(map(Tagging, of_texts, prediction_scores(chosen, sizes).tolist()))

    def _spans(
        self, text_words: Sequence[Sequence[Word]], tags: Ints, chosen: Floats, sizes: Ints
    ) -> tuple[Iterator[Span], list[int]]:
        """The spans of all texts, one after the other, and the number of spans in each text."""
        first, after, labels = self._decoder.regions(tags, sizes)
        all_words = list(chain.from_iterable(text_words))
        columns = first.tolist(), after.tolist(), labels, region_scores(chosen, first, after).tolist()
        spans = (
            Span(all_words[start].start, all_words[end - 1].end, label, score)
            for start, end, label, score in zip(*columns, strict=True)
        )
        return spans, np.diff(np.searchsorted(first, np.cumsum(sizes)), prepend=0).tolist()


class _Part(NamedTuple):
    """A part of a request: its texts as the model gets them, in batches of windows; and the tags each text may have."""

    encoded: EncodedTexts
    batches: list[list[Window]]
    allowed: Mask | None


class TextEncoder(Protocol):
    """What turns texts into a model's input."""

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts: ...

    def count_pieces(self, words: Sequence[str]) -> list[int]: ...


def read_encoder(folder: Path) -> WindowEncoder:
    """The encoder of words for a version's tokenizer and its model's maximum length; raises `ModelError`."""
    return _window_encoder(folder, _read_tokenizer(folder / "tokenizer.json"))


def _text_encoder(folder: Path, imported: Imported | None) -> TextEncoder:
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    windows = _window_encoder(folder, tokenizer)
    return PieceEncoder(tokenizer, imported, windows) if imported else windows


def _window_encoder(folder: Path, tokenizer: Tokenizer) -> WindowEncoder:
    try:
        return WindowEncoder(tokenizer, max_length=_max_length(folder))
    except ValueError as error:
        raise ModelError(f"The tokenizer in {folder} cannot be used: {error}.") from error


def _open_session(folder: Path, *, threads: int, device: Device, precision: Precision) -> OnnxSession:
    fp32, int8 = _existing(folder / ONNX_FILE), folder / INT8_FILE
    if precision == "int8":
        return OnnxSession(_existing(int8), threads=threads, device="cpu")
    quantized = precision == "auto" and int8.is_file() and int8_is_exact()
    if not quantized or device == "cuda" or (device == "auto" and cuda_available()):
        session = OnnxSession(fp32, threads=threads, device=device)
        if session.on_gpu or not quantized:
            return session
    return OnnxSession(int8, threads=threads, device="cpu")


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
        raise ModelError(f"The model file {path} is damaged: it does not hold a JSON object.")
    return content


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(_existing(path)))
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises plain exceptions
        raise ModelError(f"The model file {path} is damaged: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _read_imported(folder: Path) -> Imported | None:
    try:
        return Imported.read(folder)
    except (OSError, ValueError) as error:
        raise ModelError(f"The model file {folder / IMPORTED_FILE} is damaged: {error}.") from error


def _bio_tags(folder: Path) -> list[str]:
    names = _read_json(folder / "config.json").get("id2label")
    try:
        by_id = {int(key): str(name) for key, name in names.items()}  # type: ignore[attr-defined]
        tags = [by_id[index] for index in range(len(by_id))]
    except (AttributeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The config.json in {folder} is damaged: `id2label` does not number the tags from 0 on."
        ) from error
    others = [tag for tag in tags if tag != "O" and tag[:2] not in {"B-", "I-"}]
    if others or "O" not in tags:
        raise ModelError(f"The model in {folder} does not use BIO tags: its tags are {', '.join(tags[:10])}.")
    return tags


def _max_length(folder: Path) -> int:
    """The smallest length in the model's files, at most `MAX_LENGTH`."""
    configs = _read_json(folder / "config.json"), _read_json(folder / "tokenizer_config.json")
    lengths = [config.get(key) for config in configs for key in ("model_max_length", "max_position_embeddings")]
    return min([MAX_LENGTH, *(length for length in lengths if isinstance(length, int) and length > 0)])
