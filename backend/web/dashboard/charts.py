"""Charts as SVG, as wide as their container: horizontal positions are percentages, so that text keeps its size.

Colours and fonts come from the style sheet, by class. Every number of a chart is also in the text or a table beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

import svg
from markupsafe import Markup, escape

from backend.evaluation.learning_curve import Forecast, Point
from backend.scores import Interval, shown
from backend.web.dashboard import formatting

_HEIGHT = 240
_TOP, _BOTTOM = 18, 30
_LEFT, _RIGHT = 11.0, 97.0
"""Percent of the width between which data is drawn; the numbers of the scale are on its left."""

MAX_VERSIONS = 20
"""Versions in the chart of versions, the newest ones."""

_WHOLE = svg.Length(100, "%")


@dataclass(frozen=True, slots=True)
class Bar:
    """A version's score in the chart of versions; ``current`` marks the version that serves."""

    version: str
    f1: float
    interval: Interval | None
    current: bool


def drawn_bars(bars: Sequence[Bar]) -> list[Bar]:
    """The newest `MAX_VERSIONS` of ``bars`` (oldest first), and before them the current version if it is older."""
    return [*(bar for bar in bars[:-MAX_VERSIONS] if bar.current), *bars[-MAX_VERSIONS:]]


def versions_chart(bars: Sequence[Bar], *, title: str) -> Markup:
    """F1 of the versions that `drawn_bars` selects with their intervals, oldest on the left."""
    drawn = drawn_bars(bars)
    scale = _Scale.covering([value for bar in drawn for value in (bar.f1, *(bar.interval or ()))])
    elements = list(_grid(scale))
    step = (_RIGHT - _LEFT) / max(len(drawn), 4)
    label_every = ceil(len(drawn) / 7)
    for index, bar in enumerate(drawn):
        x = _LEFT + step * (index + 0.5)
        classes = ["current"] if bar.current else []
        tooltip = f"{bar.version}: F1 {shown(bar.f1)}"
        elements += _dot(x, bar.f1, bar.interval, scale, classes, tooltip)
        is_older = index < len(drawn) - MAX_VERSIONS
        if is_older or (len(drawn) - 1 - index) % label_every == 0:
            elements.append(_text(x, _HEIGHT - 8, bar.version.removeprefix("ner-"), ["tick", *classes]))
    return _render(elements, title)


def learning_chart(points: Sequence[Point], forecast: Forecast, *, title: str) -> Markup:
    """F1 against labelled tasks and the fitted curve; beyond the last version it is a forecast, and dashed."""
    tasks = [*(point.documents for point in points), *(tasks for tasks, _ in forecast.line)]
    max_tasks = max(tasks) or 1
    scores = [value for point in points for value in (point.f1, *(point.interval or ()))]
    scale = _Scale.covering([*scores, *(f1 for _, f1 in forecast.line)])

    def x(tasks: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * tasks / max_tasks

    elements = list(_grid(scale))
    last = max(point.documents for point in points)
    for index, ((start, start_f1), (end, end_f1)) in enumerate(pairwise(forecast.line)):
        if end <= last or index % 2:  # leaving out every other piece makes a dashed line
            css = "curve" if end <= last else "forecast"
            elements.append(_line(x(start), scale.y(start_f1), x(end), scale.y(end_f1), [css]))
    for tick in _ticks(0, max_tasks, 5):
        if 0 < tick <= max_tasks * 0.97:
            elements.append(_text(x(tick), _HEIGHT - 8, f"{tick:,.0f}", ["tick"]))
    for point in points:
        tooltip = f"{point.version}: {formatting.count(point.documents, 'task')}, F1 {shown(point.f1)}"
        elements += _dot(x(point.documents), point.f1, point.interval, scale, [], tooltip)
    return _render(elements, title)


def bar(share: float) -> Markup:
    """A thin bar, filled by a share in [0, 1]; hidden from screen readers, since the number is written beside it."""
    filled = svg.Rect(width=_percent(100 * min(max(share, 0.0), 1.0)), height=_WHOLE, rx=2, class_=["filled"])
    empty = svg.Rect(width=_WHOLE, height=_WHOLE, rx=2, class_=["empty"])
    return Markup(svg.SVG(elements=[empty, filled], class_=["bar"], height=4, extra={"aria-hidden": "true"}))  # noqa: S704


@dataclass(frozen=True, slots=True)
class _Scale:
    """The range of scores that a chart shows, at least 0.1 wide."""

    low: float
    high: float

    @classmethod
    def covering(cls, values: Sequence[float]) -> _Scale:
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
    """Round numbers from ``low`` to ``high``, at most ``about`` + 1 of them."""
    exact = (high - low) / about
    unit = 10 ** floor(log10(exact))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= exact * 0.999)
    return [number * step for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _dot(
    x: float, f1: float, interval: Interval | None, scale: _Scale, classes: list[str], tooltip: str
) -> Iterator[svg.Element]:
    parts: list[svg.Element] = [_title(tooltip)]
    if interval:
        parts.append(_line(x, scale.y(interval[0]), x, scale.y(interval[1]), ["whisker"]))
    parts.append(svg.Circle(cx=_percent(x), cy=scale.y(f1), r=5, class_=["dot"]))
    yield svg.G(elements=parts, class_=["measured", *classes])


def _line(x1: float, y1: float, x2: float, y2: float, css: list[str]) -> svg.Element:
    return svg.Line(x1=_percent(x1), y1=y1, x2=_percent(x2), y2=y2, class_=css)


def _text(x: float, y: float, text: str, css: list[str]) -> svg.Element:
    # The library does not escape text.
    return svg.Text(x=_percent(x), y=y, text_anchor="middle", class_=css, text=str(escape(text)))


def _title(text: str) -> svg.Element:
    return svg.Title(elements=[], text=str(escape(text)))


def _percent(number: float) -> svg.Length:
    return svg.Length(round(number, 2), "%")


def _render(elements: Sequence[svg.Element], title: str) -> Markup:
    drawing = svg.SVG(
        height=_HEIGHT,
        class_=["chart"],
        elements=[_title(title), *elements],
        extra={"role": "img", "aria-label": str(escape(title))},
    )
    return Markup(drawing)  # noqa: S704 - made of numbers and escaped text only
