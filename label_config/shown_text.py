"""The text that Label Studio's editor shows for a task: the ``value`` of a ``<Text>``, filled in from the task's data.

``value="Subject: $subject, $mail.body"`` with ``{"subject": "Refund", "mail": {"body": "Ana asked"}}`` is
``"Subject: Refund, Ana asked"``. Offsets of regions count in this text, so it has to be the same to the character:
numbers, lists and missing fields are written as JavaScript writes them.

Source: https://labelstud.io/tags/text, and how Label Studio 1.23 behaves in a browser
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

_FIELD = re.compile(r"\$([\w\[\].{}]+)", re.ASCII)
_KEY = re.compile(r"[^.\[\]]+")

# A path that the editor can follow: keys with dots between them, and places of lists in brackets.
_PATH = re.compile(r"\w+(?:\.\w+|\[\w+\])*", re.ASCII)

# One name to a reader, of which the editor reads only the beginning, or nothing.
_CUT_NAME = re.compile(r"\$[\w.\-\[\]]*")
_NO_NAME = re.compile(r"\$(?=[^\W\x00-\x7f])[\w.\-]*")

# Letters of other alphabets directly after a name belong to it; scripts without spaces may follow a field.
_SPLIT_NAME = re.compile(r"\$[A-Za-z0-9_\[\].{}]+([^\W\x00-\x7f])\w*")

_EXACT_INTEGERS = 2**53


class _Missing(Enum):
    """A field that the task does not have, which is not the same as one that is ``null``."""

    UNDEFINED = "undefined"


def shown_text(value: str, data: object) -> str | None:
    """Fill in a ``value`` from a task's ``data``; ``None`` if no field of it is there, or the only one is an object.

    A field ``$a.b`` is the key ``"a.b"``, or else the key ``"b"`` inside ``"a"``; ``$a[0]`` is the first of a list.
    In a value with other characters around its fields, a missing field appears as ``undefined``, as in the editor.
    """
    paths = fields(value)
    if value == f"${paths[0]}":
        content = _get(data, paths[0])
        return None if isinstance(content, dict | None | _Missing) else _string(content)
    contents = {path: _get(data, path) for path in paths}
    if all(content is _Missing.UNDEFINED for content in contents.values()):
        return None
    return _FIELD.sub(lambda match: _string(contents[match[1]]), value)


@lru_cache(maxsize=256)
def fields(value: str) -> tuple[str, ...]:
    """The paths of the fields in a ``value``, in order: ``"$subject, $mail.body"`` → ``("subject", "mail.body")``.

    Raises ``ValueError``, with the reason in words, if there is none, or one that the editor cannot show.
    """
    paths = tuple(dict.fromkeys(_FIELD.findall(value)))
    if "${" in value:
        raise ValueError("the editor does not fill in ${…}: write $field")
    whole = f"${paths[0]}" if paths else ""
    split = next((match for match in _SPLIT_NAME.finditer(value) if match[1].lower() != match[1].upper()), None)
    cut = _NO_NAME.search(value) or split or (value != whole and _CUT_NAME.fullmatch(value))
    if cut and len(cut[0]) > 1:
        raise ValueError(
            f"the editor cannot show the field {cut[0]}, since it reads only the letters A to Z, digits, _ and . "
            "in a field's name: rename the field in the tasks"
        )
    if not paths:
        raise ValueError("it names no field of the task: write $text, with the name of the field that holds the text")
    if wrong := next((path for path in paths if not _PATH.fullmatch(path)), None):
        raise ValueError(
            f"the editor reads ${wrong} as one field's name, with its dots and brackets: put a space after the name"
        )
    return paths


def put_text(data: dict[str, Any], value: str, text: str) -> None:
    """Change a task's ``data`` so that a ``value`` of one field shows ``text``.

    Raises ``ValueError`` for a value of several fields, with other characters or with a place in a list.
    """
    paths = fields(value)
    if value != f"${paths[0]}" or "[" in value:
        raise ValueError(f'value="{value}" is more than one field')
    # Label Studio reads `$a.b` as the key "b" inside "a" when it checks an import.
    *parents, last = paths[0].split(".")
    for key in parents:
        data = data.setdefault(key, {})
    data[last] = text


def _get(data: object, path: str) -> Any:
    if isinstance(data, Mapping) and path in data:
        return data[path]
    content: Any = data
    for key in _KEY.findall(path):
        if isinstance(content, Mapping) and key in content:
            content = content[key]
        elif isinstance(content, list) and key.isdecimal() and int(key) < len(content):
            content = content[int(key)]
        else:
            return _Missing.UNDEFINED
    return content


def _string(content: Any) -> str:
    """Write a value as JavaScript's ``String`` does."""
    match content:
        case str():
            return content
        case bool():
            return "true" if content else "false"
        case int() | float():
            return _number(content)
        case list():
            return ",".join("" if item is None else _string(item) for item in content)
        case None:
            return "null"
        case _Missing():
            return "undefined"
    return "[object Object]"


def _number(number: float) -> str:
    """The shortest digits that give the same number; with an exponent from 1e21 on, and below 1e-6.

    Source: https://tc39.es/ecma262/#sec-numeric-types-number-tostring
    """
    if isinstance(number, int) and abs(number) <= _EXACT_INTEGERS:
        return str(number)
    try:
        shortest = repr(float(number))
    except OverflowError:
        return "Infinity" if number > 0 else "-Infinity"
    sign, shortest = ("-", shortest[1:]) if shortest.startswith("-") else ("", shortest)
    if not shortest[0].isdigit():
        return {"nan": "NaN", "inf": f"{sign}Infinity"}[shortest]
    mantissa, _, exponent = shortest.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """The number ``0.digits`` × 10 ** ``point``."""
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
