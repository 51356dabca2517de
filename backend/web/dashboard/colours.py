"""The label colours of a project, each with black or white for readable text on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import webcolors

from label_config import LabelConfig
from label_config.generate import colours


@dataclass(frozen=True, slots=True)
class LabelColour:
    """A label's ``background`` and ``text`` colours, ``#rrggbb``; ``css`` is the class that sets both."""

    label: str
    css: str
    background: str
    text: str


def label_colours(config: LabelConfig | None, labels: Sequence[str] = ()) -> dict[str, LabelColour]:
    """The colour of each label of a configuration, and of further ``labels`` that only versions have.

    A label without a valid colour gets a generated one.
    """
    texts = config.texts if config else ()
    details = [label for text in texts for control in text.controls for label in control.details]
    configured = {label.name: _hex(label.background) for label in reversed(details)}
    names = list(dict.fromkeys([*(config.labels if config else ()), *labels]))
    generated = islice(colours(), len(names))
    return {
        name: _label_colour(name, number, configured.get(name) or colour)
        for number, (name, colour) in enumerate(zip(names, generated, strict=True))
    }


def _label_colour(label: str, number: int, background: str) -> LabelColour:
    """Choose black or white text, whichever has more contrast: one of them always has 4.58 or more."""
    light = luminance(background)
    black_is_better = (light + 0.05) / 0.05 >= 1.05 / (light + 0.05)
    return LabelColour(label, f"label-{number}", background, "#000000" if black_is_better else "#ffffff")


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1. Source: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = (value / 255 for value in webcolors.hex_to_rgb(colour))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(colour: str | None) -> str | None:
    """Read a colour of a labelling configuration, a name or three or six digits, as ``#rrggbb``."""
    value = (colour or "").strip()
    try:
        if value.startswith("#"):
            return webcolors.normalize_hex(value)
        return webcolors.name_to_hex(value)
    except ValueError:
        return None
