"""Try it: a text in, its regions out, version by version side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.errors import BackendError
from backend.inference.tagger import Tagging
from backend.loop import UNTRAINED, Loop
from backend.web.dashboard.blueprint import dashboard, the_loop
from backend.web.dashboard.context import frame
from converters.document import Span

MOST_CHARACTERS = 10_000
MOST_VERSIONS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text, with the region it is, if it is one."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """What a version makes of the text, or why it cannot say."""

    version: str
    pieces: tuple[Piece, ...] = ()
    score: float | None = None
    error: str | None = None

    @property
    def regions(self) -> int:
        return sum(piece.span is not None for piece in self.pieces)


@dashboard.post("/projects/<uid>/try")
def try_text(uid: str) -> Response | str:
    """The regions of a text; ``fragment`` asks for them alone, to be put into the open page."""
    loop = the_loop()
    text = request.form.get("text", "").replace("\r\n", "\n")
    versions = list(dict.fromkeys(request.form.getlist("version")))
    known = frame(loop, uid)
    problem = _problem(text, versions)
    tried = [] if problem else [_tried(loop, uid, text, version) for version in versions]
    if request.form.get("fragment"):
        return render_template("dashboard/_tried.html", **known, tried=tried, problem=problem)
    if problem:
        flash(problem, "failed")
        return redirect(url_for("dashboard.project", uid=uid, _anchor="try"), 303)
    return render_template(
        "dashboard/try.html",
        **known, tried=tried, problem=None, text=text, chosen=versions, most_characters=MOST_CHARACTERS,
    )  # fmt: skip


def pieces(text: str, spans: Sequence[Span]) -> tuple[Piece, ...]:
    """Cut a text at its spans, which are in text order and do not overlap; offsets count code points."""
    cut: list[Piece] = []
    at = 0
    for span in spans:
        cut += [Piece(text[at : span.start]), Piece(text[span.start : span.end], span)]
        at = span.end
    return tuple(piece for piece in [*cut, Piece(text[at:])] if piece.text)


def _problem(text: str, versions: Sequence[str]) -> str | None:
    if not text.strip():
        return "Paste a text to see its regions."
    if len(text) > MOST_CHARACTERS:
        return f"The text has {len(text):,} characters: paste at most {MOST_CHARACTERS:,}."
    if not versions:
        return "Choose at least one version."
    if len(versions) > MOST_VERSIONS:
        return f"{len(versions)} versions do not fit side by side: choose at most {MOST_VERSIONS}."
    return None


def _tried(loop: Loop, uid: str, text: str, version: str) -> Tried:
    try:
        answer = loop.predict(uid, [text], version=version)
    except BackendError as error:
        return Tried(version, error=str(error))
    if answer.version == UNTRAINED:
        return Tried(version, error="There is no model yet.")
    tagging: Tagging = answer.taggings[0]
    return Tried(version, pieces(text, tagging.spans), tagging.score)
