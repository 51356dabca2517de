"""BIO tags: which tag may follow which, spans to tagged words and back.

The scheme is IOB2: ``B-X`` begins an entity of type X, ``I-X`` continues it, ``O`` is outside of any entity. A label
may contain ``-``: a tag is split at the first one only. An example::

    Who  makes  the  best  pad     thai    in  New         York
    O    O      O    O     B-Dish  I-Dish  O   B-Location  I-Location
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
    """A span that could not become tags, and why. ``kept`` is the span that was kept where two overlapped."""

    span: Span
    reason: str
    kept: Span | None


class Tagged(NamedTuple):
    """Words with one tag each, and the spans that are not among the tags (``losses``, in the given order)."""

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
    """The only rule of the scheme: before ``I-X`` there must be ``B-X`` or ``I-X``."""
    prefix, label = split_tag(tag)
    if prefix != "I":
        return True
    before_prefix, before_label = split_tag(before)
    return before_prefix != OUTSIDE and before_label == label


def transitions(tags: Sequence[str]) -> list[list[bool]]:
    """The transition table: ``legal[i][j]`` is true where ``tags[j]`` may follow ``tags[i]``.

    Validation, repair and decoding all use this rule. Raises ``ValueError`` for a tag that is not BIO.
    """
    return [[_may_follow(before, tag) for tag in tags] for before in tags]


def starts(tags: Sequence[str]) -> list[bool]:
    """Which of the tags may begin a sequence: all except ``I-``.

    Raises ``ValueError`` for a tag that is not BIO.
    """
    return [_may_follow(OUTSIDE, tag) for tag in tags]


def is_legal(tags: Sequence[str]) -> bool:
    """Whether a sequence of tags is legal IOB2; a sequence with anything but BIO tags is not."""
    try:
        return all(_may_follow(before, tag) for before, tag in pairwise([OUTSIDE, *tags]))
    except ValueError:
        return False


def repair(tags: Sequence[str]) -> tuple[list[str], int]:
    """Make a sequence legal and count the changes: an ``I-X`` that continues no X becomes ``B-X``.

    ``conlleval`` reads such sequences the same way. Raises ``ValueError`` for a tag that is not BIO.
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
    """Tag the words of ``text`` with ``spans``; a span that cannot become tags is a loss, never an error.

    Whitespace at the ends of a span is trimmed. A boundary inside a word splits the word there, so there may be more
    words than in ``tokenizer(text)``. Of two spans that overlap the longer is kept, then the one that starts earlier,
    then the one given first. Adjacent spans of one type stay two entities.
    """
    kept, lost = _resolve(text, spans)
    text_words = tokenizer(text)
    ranges = [_word_range(text_words, candidate.trimmed) for candidate in kept]
    if None in ranges:
        boundaries = {offset for candidate in kept for offset in (candidate.trimmed.start, candidate.trimmed.end)}
        text_words = list(_cut(text_words, sorted(boundaries)))
        ranges = [_word_range(text_words, candidate.trimmed) for candidate in kept]
    tags = [OUTSIDE] * len(text_words)
    for candidate, word_range in zip(kept, ranges, strict=True):
        if word_range is None or word_range[0] == word_range[1]:
            lost[candidate.order] = Loss(candidate.given, NO_WORD, None)
            continue
        first, last = word_range
        label = candidate.trimmed.label
        tags[first] = f"B-{label}"
        if last - first > 1:
            tags[first + 1 : last] = [f"I-{label}"] * (last - first - 1)
    return Tagged(tuple(text_words), tuple(tags), tuple([lost[order] for order in sorted(lost)]))


def tags_to_spans(words: Sequence[Word], tags: Sequence[str]) -> list[Span]:
    """Read the entities of tagged words as spans without a score, in text order.

    Illegal tags are read as `repair` corrects them. A span reaches from its first word's start to its last word's end.
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
    """A span that could become tags: its index among the given spans, trimmed, and as it was given."""

    order: int
    trimmed: Span
    given: Span


# Made by the million: this avoids the Python function that a NamedTuple has for its constructor.
_candidate = cast(Callable[[tuple[int, Span, Span]], _Candidate], partial(tuple.__new__, _Candidate))


def _resolve(text: str, spans: Iterable[Span]) -> tuple[list[_Candidate], dict[int, Loss]]:
    """Choose the spans that become tags, sorted and without overlaps; the others are losses, by index."""
    lost: dict[int, Loss] = {}
    candidates: list[_Candidate] = []
    for order, span in enumerate(spans):
        trimmed = _trim(text, span)
        if isinstance(trimmed, str):
            lost[order] = Loss(span, trimmed, None)
        else:
            candidates.append(_candidate((order, trimmed, span)))
    # Regions are almost always in text order.
    if not _is_ordered(candidates):
        candidates.sort(key=_start)
        if not _is_ordered(candidates):
            candidates = _without_overlaps(candidates, lost)
    return candidates, lost


def _is_ordered(candidates: Iterable[_Candidate]) -> bool:
    """Whether each candidate ends before the next begins."""
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
    """Trim whitespace from the ends of a span, or return the reason why it cannot become tags."""
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
    """Find the kept span, as it was given, that overlaps ``span``; the longest if there are two.

    ``kept`` is sorted and without overlaps, and no span in it is shorter than ``span``: at most two overlap it.
    """
    index = bisect_right(kept, span.start, key=_start)
    overlapping = [candidate for candidate in kept[max(index - 1, 0) : index + 1] if _overlap(candidate.trimmed, span)]
    if not overlapping:
        return None
    return max(overlapping, key=lambda candidate: candidate.trimmed.end - candidate.trimmed.start).given


def _overlap(first: Span, second: Span) -> bool:
    return first.start < second.end and second.start < first.end


_word_start = itemgetter(1)
_word_end = itemgetter(2)


def _word_range(words: Sequence[Word], span: Span) -> tuple[int, int] | None:
    """The range of words that a span covers, end exclusive; ``None`` if a boundary is inside a word."""
    start, end = span.start, span.end
    first = bisect_right(words, start, key=_word_end)
    last = bisect_left(words, end, lo=first, key=_word_start)
    if first < last and (words[first][1] < start or words[last - 1][2] > end):
        return None
    return first, last


def _cut(words: Iterable[Word], cuts: Sequence[int]) -> Iterator[Word]:
    """Split the words that have a cut inside; both are in text order."""
    index = 0
    for word in words:
        while index < len(cuts) and cuts[index] <= word.start:
            index += 1
        if index == len(cuts) or word.end <= cuts[index]:
            yield word
        else:
            yield from _split(word, cuts[index : bisect_left(cuts, word.end, lo=index)])


def _split(word: Word, inside: Sequence[int]) -> Iterator[Word]:
    """Split a word at the offsets inside it; pieces of only whitespace are dropped, as between words."""
    for start, end in pairwise([word.start, *inside, word.end]):
        piece = word.text[start - word.start : end - word.start]
        visible = piece.strip()
        if visible:
            start += len(piece) - len(piece.lstrip())
            yield Word(visible, start, start + len(visible))
