"""The project's own label colours, with text on them that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import webcolors

from label_config import LabelConfig
from label_config.generate import colours


@dataclass(frozen=True, slots=True)
class LabelColour:
    """A label's colour, ``#rrggbb``, and the one of text on it; ``css`` is the class that has both."""

    label: str
    css: str
    background: str
    text: str


def label_colours(config: LabelConfig | None, labels: Sequence[str] = ()) -> dict[str, LabelColour]:
    """A label_colour for each label of a configuration, and for further ``labels`` that only versions know.

    A label without a colour, or with one that is none, gets one of its own.
    """
    details = [label for control in (config.controls if config else ()) for label in control.details]
    given = {label.name: _hex(label.background) for label in reversed(details)}
    names = list(dict.fromkeys([*(config.labels if config else ()), *labels]))
    own = islice(colours(), len(names))
    return {
        name: _paint(name, number, given.get(name) or colour)
        for number, (name, colour) in enumerate(zip(names, own, strict=True))
    }


def _paint(label: str, number: int, background: str) -> LabelColour:
    """Black or white, whichever is easier to read: one of them always has a contrast of 4.58 or more."""
    light = luminance(background)
    dark_is_better = (light + 0.05) / 0.05 >= 1.05 / (light + 0.05)
    return LabelColour(label, f"label-{number}", background, "#000000" if dark_is_better else "#ffffff")


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1. Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = (value / 255 for value in webcolors.hex_to_rgb(colour))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(colour: str | None) -> str | None:
    """``#rrggbb`` of a colour as label configurations write them: a name, or three or six digits."""
    written = (colour or "").strip()
    try:
        if written.startswith("#"):
            return webcolors.normalize_hex(written)
        return webcolors.name_to_hex(written)
    except ValueError:
        return None
