"""The dashboard's blueprint and what holds for all its pages: CSRF protection, headers, failures as pages."""

from __future__ import annotations

import logging

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from backend.errors import BackendError
from backend.loop import Loop
from backend.web.dashboard import charts, formatting
from label_config import UnsupportedLabelConfig

log = logging.getLogger(__name__)

dashboard = Blueprint(
    "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
)

_MOST_BYTES = 1 << 20
"""Of a form: a text to try is far shorter."""

_csrf = CSRFProtect()


def install(app: Flask, loop: Loop) -> None:
    """Make the dashboard part of an application. All that Label Studio posts to needs no CSRF token."""
    app.config.update(
        SECRET_KEY=loop.store.secrets.get("dashboard"),
        SESSION_COOKIE_NAME="ner_backend",  # cookies do not tell ports apart: Label Studio is on the same host
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,  # pages stay open all day
    )
    _csrf.init_app(app)
    app.jinja_env.undefined = StrictUndefined
    app.register_blueprint(dashboard)


def the_loop() -> Loop:
    loop: Loop = current_app.extensions["loop"]
    return loop


def wants_html() -> bool:
    """Whether a browser asks, which names HTML; Label Studio takes anything."""
    return any(kind == "text/html" for kind, _ in request.accept_mimetypes)


@dashboard.before_request
def _check_token() -> None:
    request.max_content_length = _MOST_BYTES
    _csrf.protect()


@dashboard.after_request
def _secure(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "dashboard.static":
        answer.headers["Cache-Control"] = "no-store"
    return answer


@dashboard.errorhandler(Exception)
def _explain(error: Exception) -> Response:
    """A failure is a page with one sentence; what was not foreseen goes to the log with its trace."""
    if isinstance(error, CSRFError):
        return _page("This page was open for too long, or not opened here: go back, reload it, and try again.", 400)
    if isinstance(error, UnsupportedLabelConfig):
        return _page(str(error), 400)
    if isinstance(error, BackendError):
        return _page(str(error), error.status)
    if isinstance(error, HTTPException):
        return _page(error.description or error.name, error.code or 500)
    log.exception("%s %s failed", request.method, request.path)
    return _page("Internal error: the service's log says more.", 500)


def _page(sentence: str, status: int) -> Response:
    return make_response(render_template("dashboard/error.html", sentence=sentence, status=status), status)


@dashboard.context_processor
def _known_to_templates() -> dict[str, object]:
    return {"formatting": formatting, "bar": charts.bar}
