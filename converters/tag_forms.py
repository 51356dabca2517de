"""How a file writes its tags (``B-PER``, ``B_PER``, ``PER-B``, ``PER``, ``B``), and their plain form ``B-PER``.

The prefix letters of BMES and BMEWO are read as those of `converters.schemes`: ``M-`` (middle) is ``I-``, ``W-``
(whole) is ``S-``. A type without a prefix becomes ``I-``, so that neighbours of one type are one entity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from converters.bio import OUTSIDE
from converters.schemes import is_tag

_LETTERS = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "L", "U": "U", "M": "I", "W": "S"}

# A letter of a scheme, a character that separates it from a label, and the label; or the other way round.
_WITH_LETTER = re.compile(r"[BIESLUMW][^\w\s].*|.*[^\w\s][BIESLUMW][^\w\s]?")

_JOINTS = "|,;+"

_TYPE = re.compile(r"[^\W\d_]\S*")

# Enough to tell a column of entity types from one in which a single value is wrong, unless the file is tiny.
_LEAST_TYPES = 2

# A column with more values holds words.
_MOST_TAGS = 2_000


@dataclass(frozen=True, slots=True)
class TagForm:
    """One way to write tags; ``example`` shows it.

    The prefix letter, one of ``letters``, and the label are separated by ``separator``, in this order unless
    ``suffix``; letters may be lower case if ``any_case``. A ``closing`` character ends the tag. Without a separator a
    tag is a label if ``label`` is ``None``, else a letter whose label is ``label``. If ``several``, this character
    joins the tags of several levels, of which the first is read.
    """

    example: str
    separator: str = ""
    suffix: bool = False
    any_case: bool = False
    label: str | None = None
    letters: str = "BIESLUMW"
    closing: str = ""
    several: str = ""

    def plain(self, value: str) -> str | None:
        """The tag as ``O`` or a prefix of `converters.schemes`, a dash and a label; ``None`` if it has another form."""
        if value == OUTSIDE or (self.any_case and value == "o"):
            return OUTSIDE
        if self.several:
            value = value.partition(self.several)[0]
            return value if is_tag(value) else None
        if not self.separator:
            return self._without_separator(value)
        if self.closing:
            value = value[:-1] if value.endswith(self.closing) else ""
        letter, label = (value[-1:], value[:-2]) if self.suffix else (value[:1], value[2:])
        separator = value[-2:-1] if self.suffix else value[1:2]
        letter = letter.upper() if self.any_case else letter
        if not letter or letter not in self.letters or separator != self.separator or not (label or self is PLAIN):
            return None
        return f"{_LETTERS[letter]}-{label}"

    def _without_separator(self, value: str) -> str | None:
        if self.label is None:
            return f"I-{value}" if _TYPE.fullmatch(value) else None
        letter = value.removesuffix("-").upper()
        if letter == OUTSIDE:
            return OUTSIDE
        return f"{_LETTERS[letter]}-{self.label}" if letter in _LETTERS else None


PLAIN = TagForm("B-LABEL", "-", letters="BIESLU")
"""The form of `converters.schemes`: only here a label may be empty."""

TYPES = TagForm("LABEL")

_WITH_PREFIX = (
    PLAIN,
    TagForm("B-LABEL, M-LABEL", "-"),
    TagForm("B_LABEL", "_"),
    TagForm("B:LABEL", ":"),
    TagForm("B/LABEL", "/"),
    TagForm("B.LABEL", "."),
    TagForm("B(LABEL)", "(", closing=")"),
    TagForm("LABEL-B", "-", suffix=True),
    TagForm("LABEL_B", "_", suffix=True),
    TagForm("LABEL.B", ".", suffix=True),
    TagForm("LABEL:B", ":", suffix=True),
    TagForm("LABEL(B)", "(", suffix=True, closing=")"),
    TagForm("b-LABEL", "-", any_case=True),
    TagForm("b_LABEL", "_", any_case=True),
    TagForm("LABEL-b", "-", suffix=True, any_case=True),
    TagForm("LABEL_b", "_", suffix=True, any_case=True),
)


def bare(label: str) -> TagForm:
    """The form of tags that are only a letter; all of them have this label."""
    return TagForm("B", label=label)


def is_bare(counts: Mapping[str, int], *, dashes: bool = False) -> bool:
    """Whether values, with their counts, are tags without a label: ``B`` or ``I``, and nothing but such letters.

    The letters may be small. With ``dashes`` they may be followed by one: ``B-``.
    """
    letters = {value.removesuffix("-") if dashes else value for value in counts}
    return letters <= {*_LETTERS, OUTSIDE} | {"b", "i", "o", "e", "s"} and not letters.isdisjoint("BIb")


def are_types(counts: Mapping[str, int], *, chosen: bool = False) -> bool:
    """Whether values, with their counts, are types without a prefix: some of them ``O``, all others labels.

    A single type among many ``O`` may be a mistake, or the name of the column, unless the column was ``chosen``.
    """
    types = [value for value in counts if value != OUTSIDE]
    inside = sum(counts[value] for value in types)
    certain = inside >= _LEAST_TYPES or inside * 4 > sum(counts.values()) or (chosen and inside > 0)
    with_letters = any(value[0] == "I" and f"B{value[1:]}" in counts for value in types if len(value) > 1)
    return OUTSIDE in counts and certain and not with_letters and all(map(_is_type, types))


def _is_type(value: str) -> bool:
    return _TYPE.fullmatch(value) is not None and not is_tag(value) and not _WITH_LETTER.fullmatch(value)


def levels(counts: Mapping[str, int]) -> tuple[str, str | None]:
    """The character that joins the tags of several levels (``B-PER|O``), given a column's values, ``""`` if none does.

    And a value that has another number of levels than others, if there is one: then it is not clear what they mean.
    """
    for joint in _JOINTS:
        joined = [value for value in counts if joint in value and all(map(is_tag, value.split(joint)))]
        if not joined or any(joint in value for value in counts.keys() - {*joined}):
            continue
        level = joined[0].count(joint)
        return joint, next((value for value in counts if value != OUTSIDE and value.count(joint) != level), None)
    return "", None


def detect_form(counts: Mapping[str, int]) -> tuple[TagForm, int]:
    """The form with a prefix that most of a column's values have, given how often each occurs, and how many have it."""
    if len(counts) > _MOST_TAGS:
        return PLAIN, 0
    joint, _ = levels(counts)
    forms = (TagForm(f"B-LABEL{joint}B-LABEL", several=joint),) if joint else _WITH_PREFIX
    sizes = {form: _size(form, counts) for form in forms}
    form = max(sizes, key=lambda form: sizes[form])
    return form, sizes[form]


def _size(form: TagForm, counts: Mapping[str, int]) -> int:
    return sum(count for value, count in counts.items() if form.plain(value) is not None)
