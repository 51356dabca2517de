"""Imported models: token classifiers that were trained elsewhere, served as they were trained.

A version that this service trains decides words of `converters.words`, each tokenized alone. An imported model was
trained on other words and other tags. It gets the pieces of the whole text, and its decisions are joined to regions by
the rules of ``transformers.pipeline("ner", aggregation_strategy="first")`` or ``"average"``. What these rules need is
in `IMPORTED_FILE`, beside the model; the model's own files stay as they were.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from tokenizers import Encoding, Tokenizer

from backend.inference.decode import Floats, Ints, Mask
from backend.inference.pieces import without_surrogates
from backend.inference.windows import EncodedTexts, WindowEncoder
from converters.bio import OUTSIDE
from converters.document import Span, Word

IMPORTED_FILE = Path("imported.json")

Aggregation = Literal["first", "average"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)

_PREFIXES = {"B", "I", "E", "S", "L", "U"}
_SCHEMES = {"IO": set("I"), "IOB": set("BI"), "IOBES": set("BIES"), "BILOU": set("BILU")}
_BEGINS, _ENDS = set("BSU"), set("ESLU")
_LIKE_B, _LIKE_I = ("B", "S", "U", "I", "", "E", "L"), ("I", "", "E", "L", "B", "S", "U")


class UnusableTags(ValueError):
    """The tags of a model do not mark regions; the message is the second part of a sentence."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of an imported model: ``prefix`` is empty where it has none; that of ``O`` is empty, its ``type`` ``O``."""

    prefix: str
    type: str


def read_tags(names: Sequence[str]) -> tuple[str, list[Tag]]:
    """The scheme of a model's tags, and the tags in order; raises `UnusableTags`.

    Schemes: ``IO`` (a type alone, or always ``I-``), ``IOB1`` and ``IOB2`` (the first where a type has no ``B-``),
    ``IOBES`` and ``BILOU``.
    """
    if names and all(name.startswith("LABEL_") for name in names):
        raise UnusableTags(f"its tags have no names ({names[0]}, …)")
    if OUTSIDE not in names:
        raise UnusableTags(f"it has no tag O for words outside of entities, only {', '.join(names[:6])}")
    tags = [_tag(name) for name in names]
    prefixes = {tag.prefix for tag in tags if tag.type != OUTSIDE}
    if prefixes <= {""}:
        return "IO", tags
    scheme = next((name for name, allowed in _SCHEMES.items() if prefixes <= allowed), None)
    if scheme is None:
        raise UnusableTags(f"its tags follow none of IO, IOB, IOBES and BILOU: {', '.join(names[:10])}")
    if scheme == "IOB":
        types, begun = ({tag.type for tag in tags if tag.prefix == prefix} for prefix in "IB")
        scheme = "IOB2" if types <= begun else "IOB1"
    return scheme, tags


def _tag(name: str) -> Tag:
    prefix, dash, entity = name.partition("-")
    if name == OUTSIDE or not (dash and entity and prefix in _PREFIXES):
        return Tag("", name)
    return Tag(prefix, entity)


@dataclass(frozen=True, slots=True)
class Imported:
    """What `IMPORTED_FILE` holds.

    ``source`` is the name on the hub or the folder, ``tags`` are the names of the model's tags by id. ``labels`` has
    the project's label of each type of entity, ``None`` where it has none: such regions are left out.
    ``subword_prefix`` (``##``) marks pieces that continue a word; where the tokenizer has none, spaces divide words.
    ``unknown`` is the id of the piece for what the tokenizer does not know.
    """

    source: str
    scheme: str
    tags: tuple[str, ...]
    labels: Mapping[str, str | None]
    aggregation: Aggregation = "first"
    subword_prefix: str | None = None
    unknown: int | None = None

    @classmethod
    def read(cls, folder: Path) -> Imported | None:
        """Read a version's file; ``None`` where the version was not imported. Raises ``ValueError`` and ``OSError``."""
        path = folder / IMPORTED_FILE
        if not path.exists():
            return None
        values = json.loads(path.read_text(encoding="utf-8"))
        try:
            return cls(**values | {"tags": tuple(values["tags"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"a field is missing or unknown: {error}") from error

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        (folder / IMPORTED_FILE).write_text(text, encoding="utf-8")

    def head_rows(self, tags: Sequence[str]) -> dict[int, int]:
        """For a head that scores the BIO ``tags``: which row of this model's head each row continues from, if any.

        The row of ``B-X`` is that of a tag that begins a region of a type with label X, where there is none (IO, IOB1)
        that of one inside it; the row of ``I-X`` is one inside it.
        """
        _, own = read_tags(self.tags)
        rows = {}
        for row, name in enumerate(tags):
            if name == OUTSIDE:
                rows[row] = self.tags.index(OUTSIDE)
                continue
            order = _LIKE_B if name.startswith("B-") else _LIKE_I
            candidates = [
                (order.index(tag.prefix), index)
                for index, tag in enumerate(own)
                if tag.type != OUTSIDE and self.labels.get(tag.type) == name[2:]
            ]
            if candidates:
                rows[row] = min(candidates)[1]
        return rows


class RunDecoder:
    """Joins the most probable tags of words to regions, as ``transformers.pipeline`` does.

    A region is a run of words with the same type; a tag that begins a region ends the one before it. Unlike there, a
    tag that ends a region (IOBES, BILOU) does so.
    """

    def __init__(self, imported: Imported) -> None:
        _, tags = read_tags(imported.tags)
        types = list(dict.fromkeys(tag.type for tag in tags))
        self._types = np.array([types.index(tag.type) for tag in tags])
        self._begins = np.array([tag.prefix in _BEGINS for tag in tags])
        self._ends = np.array([tag.prefix in _ENDS for tag in tags])
        self._of_tag = [None if tag.type == OUTSIDE else imported.labels.get(tag.type) for tag in tags]
        self.width = len(tags)
        self.outside = imported.tags.index(OUTSIDE)
        self.labels: tuple[str, ...] = tuple(dict.fromkeys(label for label in self._of_tag if label is not None))

    def mask(self, labels: Collection[str] | None) -> Mask:
        """Which tags a text that offers ``labels`` may have: theirs, and those of types without a label."""
        return np.array([labels is None or label is None or label in labels for label in self._of_tag], dtype=bool)

    def best_tags(self, scores: Floats, _sizes: Ints, /) -> Ints:
        """The most probable tag of each word; ``scores`` as for `backend.inference.decode.Viterbi`."""
        return scores.argmax(axis=1)

    def regions(self, tags: Ints, sizes: Ints) -> tuple[Ints, Ints, list[str]]:
        """The first word of each region, the word after its last, and its label; ``sizes`` are words of each text."""
        types = self._types[tags]
        first = np.ones(len(tags), dtype=bool)
        first[1:] = (types[1:] != types[:-1]) | self._begins[tags[1:]] | self._ends[tags[:-1]]
        first[(np.cumsum(sizes) - sizes)[sizes > 0]] = True
        firsts = np.flatnonzero(first)
        afters = np.append(firsts[1:], len(tags)) if len(firsts) else firsts
        labels = [self._of_tag[tag] for tag in tags[firsts]]
        kept = np.array([label is not None for label in labels], dtype=bool)
        return firsts[kept], afters[kept], [label for label in labels if label is not None]


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces of one text: their ids, and for each word its first and last character and its number of pieces."""

    ids: list[int]
    words: list[Word]
    counts: list[int]


class PieceEncoder:
    """Encodes whole texts for an imported model. Threads may share an instance."""

    def __init__(self, tokenizer: Tokenizer, imported: Imported, windows: WindowEncoder) -> None:
        self._tokenizer = tokenizer
        self._imported = imported
        self._windows = windows

    def encode_texts(self, texts: Sequence[str]) -> EncodedTexts:
        """Split texts into the model's words; with ``average`` the windows decide pieces."""
        parts = list(map(self._pieces, texts, self._encodings(texts)))
        ids = np.fromiter(chain.from_iterable(part.ids for part in parts), dtype=np.int64)
        counts = np.fromiter(chain.from_iterable(part.counts for part in parts), dtype=np.int64)
        words = [part.words for part in parts]
        if self._imported.aggregation == "first":
            sizes = np.array(list(map(len, words)), dtype=np.int64)
            return EncodedTexts(words, self._windows.encode_pieces(ids, counts, sizes), sizes, untrimmed=texts)
        sizes = np.array([len(part.ids) for part in parts], dtype=np.int64)
        windows = self._windows.encode_pieces(ids, np.ones_like(ids), sizes)
        return EncodedTexts(words, windows, sizes, pieces=counts, untrimmed=texts)

    def count_pieces(self, words: Sequence[str]) -> list[int]:
        """The number of pieces of each word, tokenized alone."""
        return self._windows.count_pieces(words)

    def _encodings(self, texts: Sequence[str]) -> Iterator[Encoding]:
        yield from self._tokenizer.encode_batch(list(map(without_surrogates, texts)), add_special_tokens=False)

    def _pieces(self, text: str, encoding: Encoding) -> _Pieces:
        pieces = _Pieces([], [], [])
        for piece, token, (start, end), special in zip(
            encoding.ids, encoding.tokens, encoding.offsets, encoding.special_tokens_mask, strict=True
        ):
            if special:
                continue
            pieces.ids.append(piece)
            if pieces.words and self._continues_word(piece, token, text, start, end):
                pieces.words[-1] = Word("", pieces.words[-1].start, end)
                pieces.counts[-1] += 1
            else:
                pieces.words.append(Word("", start, end))
                pieces.counts.append(1)
        return pieces

    def _continues_word(self, piece: int, token: str, text: str, start: int, end: int) -> bool:
        if piece == self._imported.unknown:
            return False
        if self._imported.subword_prefix:
            return len(token) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]


def trim(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Spans without the spaces at their ends, since pieces may contain these; spans of nothing else are left out."""
    return tuple(filter(None, (_trimmed(text, span) for span in spans)))


def _trimmed(text: str, span: Span) -> Span | None:
    covered = text[span.start : span.end]
    kept = covered.strip()
    if not kept:
        return None
    if len(kept) == len(covered):
        return span
    start = span.start + len(covered) - len(covered.lstrip())
    return replace(span, start=start, end=start + len(kept))


def average(scores: Floats, counts: Ints) -> Floats:
    """Log-probabilities of words from those of their pieces: the logarithm of the mean probability.

    ``scores`` has shape (pieces, tags), ``counts`` the number of pieces of each word, at least 1.
    """
    if not len(counts):
        return scores[:0]
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(np.exp(scores.astype(np.float64)), starts) / counts[:, None]
    result: Floats = np.log(np.maximum(means, np.finfo(np.float32).tiny)).astype(np.float32)
    return result
