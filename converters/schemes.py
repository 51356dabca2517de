"""The other ways to write entities as tags, read as the BIO tags of `converters.bio`.

- IOB1: ``B-`` only where an entity touches another of its type. The CoNLL-2003 files are written so.
- IOB2: ``B-`` opens every entity. What this package writes, and calls BIO.
- IOBES (BIOES): besides, ``E-`` closes an entity and ``S-`` is one of a single word.
- BILOU: the same with ``L-`` (last) and ``U-`` (unit).

Source: https://aclanthology.org/W03-0419 (IOB1), https://aclanthology.org/W09-1119 (BILOU)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from converters.bio import OUTSIDE


class Scheme(StrEnum):
    """How a file writes entities as tags; of two that fit alike, the one named first is meant."""

    IOB2 = "IOB2"
    IOB1 = "IOB1"
    IOBES = "IOBES"
    BILOU = "BILOU"


class Converted(NamedTuple):
    """A sentence's tags as BIO, the scheme they were read in, and how many of them broke its rules."""

    tags: tuple[str, ...]
    scheme: Scheme
    repaired: int


class _Follows(NamedTuple):
    """The prefixes that may stand after a tag: of its own label, and of any other (``O`` has none)."""

    same: str
    other: str


# `O` is also what stands before a sentence and after it.
_LEGAL: Mapping[Scheme, Mapping[str, _Follows]] = {
    Scheme.IOB2: {
        "O": _Follows(same="OB", other="OB"),
        "B": _Follows(same="OBI", other="OB"),
        "I": _Follows(same="OBI", other="OB"),
    },
    Scheme.IOB1: {
        "O": _Follows(same="OI", other="OI"),
        "B": _Follows(same="OBI", other="OI"),
        "I": _Follows(same="OBI", other="OI"),
    },
    Scheme.IOBES: {
        "O": _Follows(same="OBS", other="OBS"),
        "B": _Follows(same="IE", other=""),
        "I": _Follows(same="IE", other=""),
        "E": _Follows(same="OBS", other="OBS"),
        "S": _Follows(same="OBS", other="OBS"),
    },
    Scheme.BILOU: {
        "O": _Follows(same="OBU", other="OBU"),
        "B": _Follows(same="IL", other=""),
        "I": _Follows(same="IL", other=""),
        "L": _Follows(same="OBU", other="OBU"),
        "U": _Follows(same="OBU", other="OBU"),
    },
}

_OPEN_ALWAYS = frozenset("BSU")
_CLOSED = frozenset("OESLU")
_PREFIXES = frozenset("BIESLU")


def detect_scheme(sentences: Iterable[Sequence[str]]) -> Scheme:
    """Tell the scheme whose rules a file's sentences break least; IOB2 where several fit alike.

    Raises ``ValueError`` for a tag of no scheme.
    """
    broken = dict.fromkeys(Scheme, 0)
    for tags in sentences:
        for scheme in Scheme:
            broken[scheme] += to_bio(tags, scheme).repaired
    return min(broken, key=lambda scheme: broken[scheme])


def to_bio(tags: Sequence[str], scheme: Scheme | None = None) -> Converted:
    """Read a sentence's tags, in ``scheme`` or else in the one that fits it best, as legal BIO tags.

    Illegal sequences are read as ``conlleval`` reads them, in any scheme: ``B-``, ``S-`` and ``U-`` open an entity;
    so does any other tag after ``O``, after a tag that closes one, and after another label. They are counted, one
    for each tag that may not stand where it does (an entity that the sentence's end leaves open counts too).

    Raises ``ValueError`` for a tag of no scheme. Source: https://www.clips.uantwerpen.be/conll2000/chunking/output.html
    """
    chosen = detect_scheme([tags]) if scheme is None else scheme
    name = chosen.value
    steps = [_step(name, before, tag) for before, tag in pairwise([OUTSIDE, *tags, OUTSIDE])]
    return Converted(tuple([tag for tag, _ in steps[:-1]]), chosen, sum([not legal for _, legal in steps]))


def is_tag(value: str) -> bool:
    """Tell whether a value is a tag of any of the schemes: ``O``, or a prefix, a dash and a label."""
    return value == OUTSIDE or (value[1:2] == "-" and value[0] in _PREFIXES)


def _split(tag: str) -> tuple[str, str]:
    if not is_tag(tag):
        raise ValueError(f"{tag!r} is no tag: write O, or B-, I-, E-, S-, L- or U- before a label.")
    return tag[0], tag[2:]


@lru_cache(maxsize=65536)
def _step(scheme: str, before: str, tag: str) -> tuple[str, bool]:
    """Read a tag by the one before it: as BIO, and whether it may stand there. A file has few such pairs."""
    before_prefix, before_label = _split(before)
    prefix, label = _split(tag)
    follows = _LEGAL[Scheme(scheme)].get(before_prefix)
    same_label = before_label == label
    # A prefix that the scheme does not have was counted where it stands: what follows it is not to blame.
    legal = follows is None or prefix in (follows.same if same_label else follows.other)
    if prefix == OUTSIDE:
        return OUTSIDE, legal
    opens = prefix in _OPEN_ALWAYS or before_prefix in _CLOSED or not same_label
    return f"{'B' if opens else 'I'}-{label}", legal
