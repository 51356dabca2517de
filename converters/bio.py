"""The algebra of BIO tags: which tag may follow which, and spans to tagged words and back.

The scheme is IOB2: ``B-X`` opens an entity of type X, ``I-X`` continues it, ``O`` is outside of any. A
label may itself contain ``-``: a tag is split at the first one only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, cast

from converters.document import Span, Word
from converters.words import Tokenizer
from converters.words import words as split_words

OUTSIDE = "O"

OUT_OF_RANGE = "outside the text"
EMPTY = "empty"
WHITESPACE = "only whitespace"
NO_WORD = "holds no word"
OVERLAP = "overlaps a longer or earlier span"


@dataclass(frozen=True, slots=True)
class Loss:
    """A span that could not become tags, and why. ``kept`` is the winner where two spans overlapped."""

    span: Span
    reason: str
    kept: Span | None


class Tagged(NamedTuple):
    """Words with a tag each, and the spans that found no place in them (``losses``, in the given order)."""

    words: tuple[Word, ...]
    tags: tuple[str, ...]
    losses: tuple[Loss, ...]


def tag_set(labels: Sequence[str]) -> list[str]:
    """List the tags of ``labels``: ``["O", "B-X", "I-X", "B-Y", "I-Y", …]``, in the order of the labels."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI")]


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into prefix and label: ``"B-X"`` → ``("B", "X")``, ``"O"`` → ``("O", "")``.

    Raises ``ValueError`` for anything that is not a BIO tag.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, label = tag.partition("-")
    if not dash or prefix not in ("B", "I"):
        raise ValueError(f"{tag!r} is not a BIO tag: write O, B-LABEL or I-LABEL.")
    return prefix, label


def _may_follow(before: str, tag: str) -> bool:
    """The one rule of the scheme: only an entity's own tags may stand before its ``I-``."""
    prefix, label = split_tag(tag)
    if prefix != "I":
        return True
    before_prefix, before_label = split_tag(before)
    return before_prefix != OUTSIDE and before_label == label


def transitions(tags: Sequence[str]) -> list[list[bool]]:
    """Tell which tag may follow which: ``legal[i][j]`` is true where ``tags[j]`` may come after ``tags[i]``.

    Validation, repair and decoding all rest on this rule. Raises ``ValueError`` for a tag that is not BIO.
    """
    return [[_may_follow(before, tag) for tag in tags] for before in tags]


def starts(tags: Sequence[str]) -> list[bool]:
    """Tell which tags may begin a sequence: all but ``I-``.

    Raises ``ValueError`` for a tag that is not BIO.
    """
    return [_may_follow(OUTSIDE, tag) for tag in tags]


def is_legal(tags: Sequence[str]) -> bool:
    """Tell whether a sequence of tags is legal IOB2; one that holds something else than BIO tags is not."""
    try:
        return all(_may_follow(before, tag) for before, tag in pairwise([OUTSIDE, *tags]))
    except ValueError:
        return False


def repair(tags: Sequence[str]) -> tuple[list[str], int]:
    """Make a sequence legal and count the changes: an ``I-X`` that continues no X begins one, as ``B-X``.

    This is how ``conlleval`` reads such sequences. Raises ``ValueError`` for a tag that is not BIO.
    Source: https://www.clips.uantwerpen.be/conll2000/chunking/output.html
    """
    repaired = list(tags)
    count = 0
    for i, (before, tag) in enumerate(pairwise([OUTSIDE, *tags])):
        if not _may_follow(before, tag):
            repaired[i] = f"B-{split_tag(tag)[1]}"
            count += 1
    return repaired, count


def spans_to_tags(text: str, spans: Iterable[Span], *, tokenizer: Tokenizer = split_words) -> Tagged:
    """Tag the words of ``text`` with any ``spans``; one that finds no place is a loss, never an error.

    Whitespace at a span's edges is trimmed. A boundary inside a word splits the word there, so the words
    may be more than ``tokenizer(text)``. Of two spans that overlap the longer wins, then the one that starts
    earlier, then the one given first. Touching spans of one type stay two entities.
    """
    kept, lost = _resolve(text, spans)
    found = tokenizer(text)
    places = [_within(found, it.trimmed) for it in kept]
    if None in places:
        found = list(_cut(found, sorted({edge for it in kept for edge in (it.trimmed.start, it.trimmed.end)})))
        places = [_within(found, it.trimmed) for it in kept]
    tags = [OUTSIDE] * len(found)
    for candidate, place in zip(kept, places, strict=True):
        if place is None or place[0] == place[1]:
            lost[candidate.order] = Loss(candidate.given, NO_WORD, None)
            continue
        first, last = place
        label = candidate.trimmed.label
        tags[first] = f"B-{label}"
        if last - first > 1:
            tags[first + 1 : last] = [f"I-{label}"] * (last - first - 1)
    return Tagged(tuple(found), tuple(tags), tuple([lost[order] for order in sorted(lost)]))


def tags_to_spans(words: Sequence[Word], tags: Sequence[str]) -> list[Span]:
    """Read the entities of tagged words as spans without a score, in text order.

    Illegal tags are read as `repair` mends them. A span reaches from its first word's start to its last word's end.
    Raises ``ValueError`` if words and tags differ in number, or for a tag that is not BIO.
    """
    spans: list[Span] = []
    start = end = 0
    open_label: str | None = None
    for word, tag in zip(words, tags, strict=True):
        prefix, label = (OUTSIDE, None) if tag == OUTSIDE else split_tag(tag)
        if open_label is not None and (prefix != "I" or label != open_label):
            spans.append(Span(start, end, open_label))
            open_label = None
        if open_label is None and label is not None:
            start, open_label = word.start, label
        end = word.end
    if open_label is not None:
        spans.append(Span(start, end, open_label))
    return spans


class _Candidate(NamedTuple):
    """A span that could become tags: its place among the given ones, itself trimmed, and as it was given."""

    order: int
    trimmed: Span
    given: Span


# As with words: made by the million.
_candidate = cast(Callable[[tuple[int, Span, Span]], _Candidate], partial(tuple.__new__, _Candidate))


def _resolve(text: str, spans: Iterable[Span]) -> tuple[list[_Candidate], dict[int, Loss]]:
    """Choose the spans that become tags, sorted and without overlaps; the others are losses by their place."""
    lost: dict[int, Loss] = {}
    candidates: list[_Candidate] = []
    for order, span in enumerate(spans):
        trimmed = _trim(text, span)
        if isinstance(trimmed, str):
            lost[order] = Loss(span, trimmed, None)
        else:
            candidates.append(_candidate((order, trimmed, span)))
    # Regions come in text order almost always.
    if not _apart(candidates):
        candidates.sort(key=_start)
        if not _apart(candidates):
            candidates = _without_overlaps(candidates, lost)
    return candidates, lost


def _apart(candidates: Iterable[_Candidate]) -> bool:
    """Tell whether each ends before the next begins."""
    end = 0
    for candidate in candidates:
        if candidate.trimmed.start < end:
            return False
        end = candidate.trimmed.end
    return True


def _without_overlaps(candidates: Iterable[_Candidate], lost: dict[int, Loss]) -> list[_Candidate]:
    """Keep the longest, then the earliest, then the first given; note the others in ``lost``."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates, key=_precedence):
        winner = _overlapped(kept, candidate.trimmed)
        if winner is None:
            insort(kept, candidate, key=_start)
        else:
            lost[candidate.order] = Loss(candidate.given, OVERLAP, winner)
    return kept


def _precedence(candidate: _Candidate) -> tuple[int, int, int]:
    span = candidate.trimmed
    return span.start - span.end, span.start, candidate.order


def _trim(text: str, span: Span) -> Span | str:
    """Trim whitespace from a span's edges, or say why it cannot become tags."""
    start, end = span.start, span.end
    if not 0 <= start <= end <= len(text):
        return OUT_OF_RANGE
    if start == end:
        return EMPTY
    if not (text[start].isspace() or text[end - 1].isspace()):
        return span
    content = text[start:end]
    visible = content.strip()
    if not visible:
        return WHITESPACE
    start += len(content) - len(content.lstrip())
    return Span(start, start + len(visible), span.label, span.score)


def _start(candidate: _Candidate) -> int:
    return candidate.trimmed.start


def _overlapped(kept: Sequence[_Candidate], span: Span) -> Span | None:
    """Find the span, as it was given, that already holds a part of ``span``'s place; the longest of two.

    ``kept`` is sorted, free of overlaps, and none in it is shorter than ``span``: two at most touch it.
    """
    at = bisect_right(kept, span.start, key=_start)
    near = [it for it in kept[max(at - 1, 0) : at + 1] if _overlap(it.trimmed, span)]
    return max(near, key=lambda it: it.trimmed.end - it.trimmed.start).given if near else None


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


_word_start = itemgetter(1)
_word_end = itemgetter(2)


def _within(words: Sequence[Word], span: Span) -> tuple[int, int] | None:
    """Find the words that hold a part of a span, from the first to before the last; ``None`` if it cuts through one."""
    start, end = span.start, span.end
    first = bisect_right(words, start, key=_word_end)
    last = bisect_left(words, end, lo=first, key=_word_start)
    if first < last and (words[first][1] < start or words[last - 1][2] > end):
        return None
    return first, last


def _cut(words: Iterable[Word], cuts: Sequence[int]) -> Iterator[Word]:
    """Split the words that have a cut inside; both are in text order."""
    at = 0
    for word in words:
        while at < len(cuts) and cuts[at] <= word.start:
            at += 1
        if at == len(cuts) or word.end <= cuts[at]:
            yield word
        else:
            yield from _split(word, cuts[at : bisect_left(cuts, word.end, lo=at)])


def _split(word: Word, inside: Sequence[int]) -> Iterator[Word]:
    """Split a word at the offsets inside it; what is only whitespace disappears, as it does between words."""
    for start, end in pairwise([word.start, *inside, word.end]):
        piece = word.text[start - word.start : end - word.start]
        visible = piece.strip()
        if visible:
            start += len(piece) - len(piece.lstrip())
            yield Word(visible, start, start + len(visible))
