"""Generates a labelling configuration for any labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb
from html import escape
from itertools import count

from label_config.shown_text import fields

# Characters that XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# The editor would fill in a label's value from the task after this sign, but it does not change an alias.
_DOLLAR, _SHOWN_DOLLAR = "$", "\N{FULLWIDTH DOLLAR SIGN}"
_KEYS = "123456789"

# Hues at this distance stay well apart: https://en.wikipedia.org/wiki/Golden_angle
_GOLDEN = 0.381966
# White text is readable on all of these (4.5:1 and more, WCAG 1.4.3), and neighbouring hues differ in luminance too.
_LUMINANCES = (0.17, 0.09, 0.13)


def generate(
    labels: Sequence[str], *, from_name: str = "label", to_name: str = "text", text_field: str = "text"
) -> str:
    """Write the XML of a configuration with these labels: a colour for each, number keys for the first nine.

    A label given twice is written once. ``LabelConfig.from_xml`` reads the same labels back. Raises ``ValueError`` for
    no labels, for an empty label or one with characters that XML does not allow, and for invalid names. A label with a
    dollar sign is shown with another one, since the editor reads it as a field of the task.
    """
    unique = list(dict.fromkeys(labels))
    if not unique:
        raise ValueError("A labelling configuration needs at least one label.")
    for label in unique:
        if not label or _UNWRITABLE.search(label):
            raise ValueError(f"{label!r} cannot be a label: use at least one character, and no control characters.")
    if not from_name.strip() or not to_name.strip() or "," in to_name or not _is_field(text_field):
        raise ValueError(
            f"{from_name!r}, {to_name!r} and ${text_field} are not valid names of a control, its text and a field."
        )
    rows = "\n".join(
        f"    <Label {_names(label)} background={_quoted(colour)}{key}/>"
        for label, colour, key in zip(unique, colours(), _hotkeys(), strict=False)
    )
    return (
        f"<View>\n  <Labels name={_quoted(from_name)} toName={_quoted(to_name)}>\n{rows}\n  </Labels>\n"
        f'  <Text name={_quoted(to_name)} value="${text_field}"/>\n</View>\n'
    )


def _is_field(name: str) -> bool:
    try:
        return fields(f"${name}") == (name,)
    except ValueError:
        return False


def _names(label: str) -> str:
    if _DOLLAR not in label:
        return f"value={_quoted(label)}"
    return f"value={_quoted(label.replace(_DOLLAR, _SHOWN_DOLLAR))} alias={_quoted(label)}"


def colours() -> Iterator[str]:
    """Generate colours endlessly, ``"#rrggbb"``, all different, each dark enough for white text."""
    generated: set[str] = set()
    for i in count():
        colour = _colour(i * _GOLDEN % 1, _LUMINANCES[i % 3], 0.9 - i // 24 % 5 * 0.1)
        if colour not in generated:
            generated.add(colour)
            yield colour


def _hotkeys() -> Iterator[str]:
    yield from (f' hotkey="{key}"' for key in _KEYS)
    while True:
        yield ""


def _quoted(value: str) -> str:
    # In an attribute, XML turns line ends and tabs into spaces, unless they are written as numbers.
    return '"' + re.sub(r"[\t\n\r]", lambda match: f"&#{ord(match[0])};", escape(value, quote=True)) + '"'


def _colour(hue: float, luminance: float, saturation: float) -> str:
    """Find the colour of that hue (0 to 1) and relative luminance by bisection."""
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if _luminance(hls_to_rgb(hue, middle, saturation)) > luminance:
            high = middle
        else:
            low = middle
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in hls_to_rgb(hue, low, saturation))


def _luminance(rgb: tuple[float, float, float]) -> float:
    """Relative luminance, 0 to 1. Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
