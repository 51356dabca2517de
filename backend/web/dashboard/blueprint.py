"""The dashboard's blueprint and what all its pages share: CSRF protection, headers, errors as pages."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import RequestEntityTooLarge

from backend.evaluation.verdict import describe
from backend.loop import Loop
from backend.scores import shown, shown_interval
from backend.web.dashboard import charts, formatting
from backend.web.failures import sentence_and_status

log = logging.getLogger(__name__)

dashboard = Blueprint(
    "dashboard", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
)

_MAX_FORM_BYTES = 1 << 20
"""Far more than the longest text that may be tried."""

_csrf = CSRFProtect()


def register_dashboard(app: Flask, loop: Loop) -> None:
    """Add the dashboard to an application. Label Studio's own requests need no CSRF token."""
    app.config.update(
        SECRET_KEY=loop.dashboard_secret(),
        SESSION_COOKIE_NAME="ner_backend",  # cookies ignore the port, and Label Studio may be on the same host
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,  # pages stay open all day
    )
    _csrf.init_app(app)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(capitalize_first=formatting.capitalize_first, code=formatting.code)
    app.register_blueprint(dashboard)


def current_loop() -> Loop:
    """The `Loop` of the application that answers this request."""
    loop: Loop = current_app.extensions["loop"]
    return loop


def wants_html() -> bool:
    """Whether the client asks for HTML by name, as browsers do; Label Studio accepts any type."""
    return any(mime_type == "text/html" for mime_type, _ in request.accept_mimetypes)


@dashboard.before_request
def _check_token() -> None:
    request.max_content_length = _MAX_FORM_BYTES
    _csrf.protect()


@dashboard.after_request
def _add_security_headers(answer: Response) -> Response:
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
def _error_page(error: Exception) -> Response:
    """A page with one sentence; unexpected errors are logged with their traceback."""
    if isinstance(error, CSRFError):
        return _page("This page was open for too long, or not opened here: go back, reload it, and try again.", 400)
    if isinstance(error, RequestEntityTooLarge):
        return _page("That is too much to send at once: shorten the text, and try again.", 413)
    return _page(*sentence_and_status(error))


def error_page(sentence: str, status: int) -> Response:
    """The page of an error outside the dashboard's own addresses, for a browser."""
    if status == 405 and request.method == "GET" and _uid_of_path():
        sentence = "This is the address of a button, and opening it does not press the button: press it on the page."
    return _add_security_headers(_page(sentence, status))


def _page(sentence: str, status: int) -> Response:
    project = current_loop().store.projects.find(_uid_of_path()) if status < 500 else None
    page = render_template("dashboard/error.html", sentence=sentence, status=status, project=project)
    return make_response(page, status)


def _uid_of_path() -> str:
    """The project whose address is asked for; also where no view has it."""
    _, *parts = request.path.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "projects" else ""


@dashboard.context_processor
def _template_globals() -> dict[str, object]:
    scores = {"shown": shown, "shown_interval": shown_interval}
    return {"formatting": formatting, "bar": charts.bar, "describe": describe, "now": time.time, **scores}
