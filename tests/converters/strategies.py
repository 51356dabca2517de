"""Texts and spans to try the converters on: any text, with a liking for what breaks word boundaries."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from converters import Span

# Apostrophes, digits, combining marks, joined emoji, flags, CJK, every kind of space, controls, lone
# surrogates.
_AWKWARD = (
    "aZ19'.,:_- \t\n\r\x00\x1c\x85\u00a0\u202f\u2028\u3000\u200b\u200d\u0301\ufeff\u0600日カ가ไ👨🏽🇩🇪\ud83c\udf63"
)

texts: SearchStrategy[str] = st.text(
    st.one_of(st.sampled_from(_AWKWARD), st.characters(codec="utf-8"), st.characters(categories=["Cs"])),
    max_size=40,
)
labels: SearchStrategy[str] = st.sampled_from(["X", "Y", "A-B", "B-X", "Restaurant Name", "O", ""])


@st.composite
def any_spans(draw: DrawFn, text: str) -> list[Span]:
    """Spans that need not fit the text nor each other."""
    offsets = st.integers(-3, len(text) + 3)
    return draw(st.lists(st.builds(Span, offsets, offsets, labels), max_size=8))


@st.composite
def clean_spans(draw: DrawFn, text: str) -> list[Span]:
    """Sorted spans that do not overlap, begin and end with something visible."""
    offsets = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    spans = [Span(start, end, draw(labels)) for start, end in pairwise(offsets)]
    return [span for span in spans if _clean(text[span.start : span.end]) and draw(st.booleans())]


def _clean(content: str) -> bool:
    return content.strip() == content != ""
