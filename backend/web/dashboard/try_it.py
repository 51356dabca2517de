"""Try it: a person enters a text and sees its regions, for several versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request

from backend.errors import BackendError
from backend.inference.tagger import Tagging
from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.web.dashboard.blueprint import current_loop, dashboard
from backend.web.dashboard.context import page_context
from converters.document import Span

MAX_CHARACTERS = 10_000
MAX_VERSIONS = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the text; ``span`` is set where the stretch is a region."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class TryResult:
    """The text as one version tags it, or the ``error`` why it cannot; ``score`` is the prediction's, in [0, 1]."""

    version: str
    segments: tuple[Segment, ...] = ()
    score: float | None = None
    error: str | None = None

    @property
    def regions(self) -> int:
        return sum(segment.span is not None for segment in self.segments)


@dashboard.post("/projects/<uid>/try")
def try_text(uid: str) -> str:
    """The regions of a text; with ``fragment`` only the part of the page that shows them."""
    loop = current_loop()
    text = request.form.get("text", "").replace("\r\n", "\n")
    versions = list(dict.fromkeys(request.form.getlist("version")))
    context = page_context(loop, uid)
    problem = _problem(text, versions)
    results = [] if problem else [_result(loop, uid, text, version) for version in versions]
    if request.form.get("fragment"):
        return render_template("dashboard/_try_results.html", **context, results=results, problem=problem)
    return render_template(
        "dashboard/try.html",
        **context, results=results, problem=problem, text=text, chosen=versions, max_characters=MAX_CHARACTERS,
    )  # fmt: skip


def segments(text: str, spans: Sequence[Span]) -> tuple[Segment, ...]:
    """Cut a text at its spans, which are in text order and do not overlap; offsets count code points."""
    parts: list[Segment] = []
    end = 0
    for span in spans:
        parts += [Segment(text[end : span.start]), Segment(text[span.start : span.end], span)]
        end = span.end
    return tuple(segment for segment in [*parts, Segment(text[end:])] if segment.text)


def _problem(text: str, versions: Sequence[str]) -> str | None:
    if not text.strip():
        return "Paste a text to see its regions."
    if len(text) > MAX_CHARACTERS:
        return f"The text has {len(text):,} characters: paste at most {MAX_CHARACTERS:,}."
    if not versions:
        return "Choose at least one version."
    if len(versions) > MAX_VERSIONS:
        return f"{len(versions)} versions do not fit side by side: choose at most {MAX_VERSIONS}."
    return None


def _result(loop: Loop, uid: str, text: str, version: str) -> TryResult:
    try:
        answer = loop.predict(uid, [text], version=version)
    except BackendError as error:
        return TryResult(version, error=str(error))
    if answer.version == UNTRAINED:
        return TryResult(version, error="There is no model yet.")
    tagging: Tagging = answer.taggings[0]
    return TryResult(version, segments(text, tagging.spans), tagging.score)
