"""The web application: Label Studio's protocol, the dashboard, authentication, errors."""

from __future__ import annotations

import base64
import hmac
import logging
from contextlib import suppress

from flask import Flask, Response, jsonify, request

from backend.errors import BackendError
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.web.dashboard import error_page, register_dashboard, wants_html
from backend.web.failures import sentence_and_status, status_line
from backend.web.protocol import protocol

log = logging.getLogger(__name__)


def create_app(settings: Settings, loop: Loop | None = None) -> Flask:
    """Create the WSGI application; with BASIC_AUTH_USER and BASIC_AUTH_PASS every route but `/health` asks for them."""
    app = Flask(__name__, static_folder=None)
    app.extensions["loop"] = loop = loop or open_service(settings).loop
    _require_credentials(app, settings)
    app.register_blueprint(protocol)
    register_dashboard(app, loop)
    app.register_error_handler(Exception, _error_response)
    return app


def _require_credentials(app: Flask, settings: Settings) -> None:
    if settings.basic_auth_user is None or settings.basic_auth_pass is None:
        return
    pair = f"{settings.basic_auth_user}:{settings.basic_auth_pass.get_secret_value()}"
    # RFC 7617 demands UTF-8; the HTTP library of Label Studio sends Latin-1 where it can.
    accepted = [pair.encode("utf-8")]
    with suppress(UnicodeEncodeError):
        accepted.append(pair.encode("latin-1"))

    @app.before_request
    def check() -> Response | None:
        sent = _credentials(request.headers.get("Authorization", ""))
        if request.path == "/health" or any(hmac.compare_digest(sent, credentials) for credentials in accepted):
            return None
        answer = _sentence("This service requires a user name and a password (BASIC_AUTH_USER, BASIC_AUTH_PASS).", 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="label-studio-ner-backend", charset="UTF-8"'
        return answer


def _credentials(header: str) -> bytes:
    """The ``user:password`` of a Basic Authorization header, empty for any other header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _error_response(error: Exception) -> Response:
    """One sentence for every error, as a page for browsers; unexpected errors are logged with their traceback."""
    if isinstance(error, BackendError) and error.status >= 500:
        log.error("%s %s: %s", request.method, request.path, error)
    sentence, status = sentence_and_status(error)
    return error_page(sentence, status) if wants_html() else _sentence(sentence, status)


def _sentence(text: str, status: int) -> Response:
    answer = jsonify(error=text)
    answer.status = status_line(text, status)
    return answer
