"""Other tagging schemes, read as the BIO tags of `converters.bio`.

- IOB1: ``B-`` only where an entity follows another of its type directly. The CoNLL-2003 files use it.
- IOB2: ``B-`` begins every entity. This package writes it, and calls it BIO.
- IOBES (BIOES): in addition, ``E-`` ends an entity and ``S-`` is an entity of a single word.
- BILOU: the same with ``L-`` (last) and ``U-`` (unit).
- IO: types without a prefix, given here as ``I-`` tags; neighbours of one type are one entity.

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
    """A tagging scheme; if several fit a file equally well, the first one here is used."""

    IOB2 = "IOB2"
    IOB1 = "IOB1"
    IOBES = "IOBES"
    BILOU = "BILOU"
    IO = "IO"


class Converted(NamedTuple):
    """A sentence's tags as BIO, the scheme they were in, and how many of them broke its rules."""

    tags: tuple[str, ...]
    scheme: Scheme
    repaired: int


class _Follows(NamedTuple):
    """The prefixes that may follow a tag: with the same label, and with another one (``O`` has no label)."""

    same: str
    other: str


# A sentence counts as preceded and followed by `O`.
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
    Scheme.IO: {
        "O": _Follows(same="OI", other="OI"),
        "I": _Follows(same="OI", other="OI"),
    },
}

_DETECTED = (Scheme.IOB2, Scheme.IOB1, Scheme.IOBES, Scheme.BILOU)  # IO is a case of IOB1

_OPEN_ALWAYS = frozenset("BSU")
_CLOSED = frozenset("OESLU")
_PREFIXES = frozenset("BIESLU")


def detect_scheme(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme whose rules a file's sentences break least; IOB2 if several fit equally well.

    Raises ``ValueError`` for a tag of no scheme.
    """
    broken = dict.fromkeys(_DETECTED, 0)
    for tags in sentences:
        for scheme in _DETECTED:
            broken[scheme] += to_bio(tags, scheme).repaired
    return min(broken, key=lambda scheme: broken[scheme])


def to_bio(tags: Sequence[str], scheme: Scheme | None = None) -> Converted:
    """Convert a sentence's tags, in ``scheme`` or else in the one that fits best, to legal BIO tags.

    Illegal sequences are read as ``conlleval`` reads them, in any scheme: ``B-``, ``S-`` and ``U-`` begin an entity; so
    does any other tag after ``O``, after a tag that ends an entity, and after another label. Every tag that may not
    follow the one before is counted (and so is an entity that has not ended at the end of the sentence).

    Raises ``ValueError`` for a tag of no scheme. Source: https://www.clips.uantwerpen.be/conll2000/chunking/output.html
    """
    chosen = detect_scheme([tags]) if scheme is None else scheme
    name = chosen.value
    steps = [_step(name, before, tag) for before, tag in pairwise([OUTSIDE, *tags, OUTSIDE])]
    return Converted(tuple([tag for tag, _ in steps[:-1]]), chosen, sum([not legal for _, legal in steps]))


def is_tag(value: str) -> bool:
    """Whether a value is a tag of any of the schemes: ``O``, or a prefix, a dash and a label."""
    return value == OUTSIDE or (value[1:2] == "-" and value[0] in _PREFIXES)


def _split(tag: str) -> tuple[str, str]:
    if not is_tag(tag):
        raise ValueError(f"{tag!r} is not a tag: write O, or B-, I-, E-, S-, L- or U- before a label.")
    return tag[0], tag[2:]


@lru_cache(maxsize=65536)
def _step(scheme: str, before: str, tag: str) -> tuple[str, bool]:
    """A tag as BIO, given the tag before it, and whether it may follow that tag. A file has few such pairs."""
    before_prefix, before_label = _split(before)
    prefix, label = _split(tag)
    follows = _LEGAL[Scheme(scheme)].get(before_prefix)
    same_label = before_label == label
    # A prefix that the scheme does not have was counted itself, so the tag after it is not counted too.
    legal = follows is None or prefix in (follows.same if same_label else follows.other)
    if prefix == OUTSIDE:
        return OUTSIDE, legal
    opens = prefix in _OPEN_ALWAYS or before_prefix in _CLOSED or not same_label
    return f"{'B' if opens else 'I'}-{label}", legal
