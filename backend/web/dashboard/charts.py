"""Charts as SVG. They are as wide as their box: positions across are percentages, so that text keeps its size.

Colours and fonts are the style sheet's, by class. A chart's numbers stand in the text or in a table beside it as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

import svg
from markupsafe import Markup, escape

from backend.evaluation.learning_curve import Forecast, Point
from backend.web.dashboard import formatting

_HEIGHT = 240
_TOP, _BOTTOM = 18, 30
_LEFT, _RIGHT = 11.0, 97.0
"""Percent of the width that data may take; the scale's numbers stand left of it."""

_MOST_VERSIONS = 20

_WHOLE = svg.Length(100, "%")


@dataclass(frozen=True, slots=True)
class Bar:
    """A version's score on the chart of versions."""

    version: str
    f1: float
    interval: tuple[float, float] | None
    serves: bool


def versions_chart(bars: Sequence[Bar], *, title: str) -> Markup:
    """F1 of the latest versions with their intervals, from left to right as they were made."""
    shown = bars[-_MOST_VERSIONS:]
    scale = _Scale.over([value for bar in shown for value in (bar.f1, *(bar.interval or ()))])
    elements = list(_grid(scale))
    step = (_RIGHT - _LEFT) / max(len(shown), 4)
    each = ceil(len(shown) / 7)
    for place, bar in enumerate(shown):
        x = _LEFT + step * (place + 0.5)
        state = ["serves"] if bar.serves else []
        elements += _measured(x, bar.f1, bar.interval, scale, state, f"{bar.version}: F1 {formatting.score(bar.f1)}")
        if (len(shown) - 1 - place) % each == 0:
            elements.append(_text(x, _HEIGHT - 8, bar.version.removeprefix("ner-"), ["tick", *state]))
    return _drawn(elements, title)


def learning_chart(points: Sequence[Point], forecast: Forecast, *, title: str) -> Markup:
    """F1 against labelled tasks, the fitted curve, and beyond the last version what it foretells, dashed."""
    tasks = [*(each.documents for each in points), *(tasks for tasks, _ in forecast.line)]
    most = max(tasks) or 1
    scores = [value for each in points for value in (each.f1, *(each.interval or ()))]
    scale = _Scale.over([*scores, *(f1 for _, f1 in forecast.line)])

    def across(number: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * number / most

    elements = list(_grid(scale))
    last = max(each.documents for each in points)
    for number, ((start, low), (end, high)) in enumerate(pairwise(forecast.line)):
        if end <= last or number % 2:  # a gap after each piece makes a dashed line
            kind = "curve" if end <= last else "foretold"
            elements.append(_line(across(start), scale.y(low), across(end), scale.y(high), [kind]))
    for tick in _ticks(0, most, 5):
        if 0 < tick <= most * 0.97:
            elements.append(_text(across(tick), _HEIGHT - 8, f"{tick:,.0f}", ["tick"]))
    for each in points:
        known = f"{each.version}: {formatting.count(each.documents, 'task')}, F1 {formatting.score(each.f1)}"
        elements += _measured(across(each.documents), each.f1, each.interval, scale, [], known)
    return _drawn(elements, title)


def bar(share: float) -> Markup:
    """A thin bar, filled by a share in [0, 1]; the number stands beside it, so it is hidden from screen readers."""
    filled = svg.Rect(width=_percent(100 * min(max(share, 0.0), 1.0)), height=_WHOLE, rx=2, class_=["filled"])
    empty = svg.Rect(width=_WHOLE, height=_WHOLE, rx=2, class_=["empty"])
    return Markup(svg.SVG(elements=[empty, filled], class_=["bar"], height=4, extra={"aria-hidden": "true"}))  # noqa: S704


@dataclass(frozen=True, slots=True)
class _Scale:
    """The part of the scores that a chart shows, a tenth at least."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> _Scale:
        low, high = floor(min(values) * 20 - 0.4) / 20, ceil(max(values) * 20 + 0.2) / 20
        low, high = max(low, 0.0), min(high, 1.0)
        return cls(max(0.0, min(low, high - 0.1)), high)

    def y(self, value: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (self.high - value) / (self.high - self.low), 1)


def _grid(scale: _Scale) -> Iterator[svg.Element]:
    for value in _ticks(scale.low, scale.high, 5):
        y = scale.y(value)
        yield svg.Line(x1=0, y1=y, x2=_WHOLE, y2=y, class_=["grid"])
        yield svg.Text(x=0, y=y - 5, class_=["scale"], text=f"{value:.2f}")


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, no more than ``about`` and one."""
    rough = (high - low) / about
    unit = 10 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _measured(
    x: float, value: float, interval: tuple[float, float] | None, scale: _Scale, state: list[str], title: str
) -> Iterator[svg.Element]:
    parts: list[svg.Element] = [_titled(title)]
    if interval:
        parts.append(_line(x, scale.y(interval[0]), x, scale.y(interval[1]), ["whisker"]))
    parts.append(svg.Circle(cx=_percent(x), cy=scale.y(value), r=5, class_=["dot"]))
    yield svg.G(elements=parts, class_=["measured", *state])


def _line(x1: float, y1: float, x2: float, y2: float, css: list[str]) -> svg.Element:
    return svg.Line(x1=_percent(x1), y1=y1, x2=_percent(x2), y2=y2, class_=css)


def _text(x: float, y: float, text: str, css: list[str]) -> svg.Element:
    # The library writes text as it is.
    return svg.Text(x=_percent(x), y=y, text_anchor="middle", class_=css, text=str(escape(text)))


def _titled(text: str) -> svg.Element:
    return svg.Title(elements=[], text=str(escape(text)))


def _percent(number: float) -> svg.Length:
    return svg.Length(round(number, 2), "%")


def _drawn(elements: Sequence[svg.Element], title: str) -> Markup:
    drawing = svg.SVG(
        height=_HEIGHT,
        class_=["chart"],
        elements=[_titled(title), *elements],
        extra={"role": "img", "aria-label": str(escape(title))},
    )
    return Markup(drawing)  # noqa: S704 - made here, and what is not a number is escaped
