"""create_app: the map of the web service."""

from __future__ import annotations

import base64
import hmac
import logging
from contextlib import suppress

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from backend.errors import BackendError
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.web.dashboard import install
from backend.web.protocol import protocol
from label_config import UnsupportedLabelConfig

log = logging.getLogger(__name__)


def create_app(settings: Settings, loop: Loop | None = None) -> Flask:
    """The WSGI application: what Label Studio calls and the dashboard, behind Basic auth where that is configured."""
    app = Flask(__name__, static_folder=None)
    app.extensions["loop"] = loop = loop or open_service(settings).loop
    _ask_for_credentials(app, settings)
    app.register_blueprint(protocol)
    install(app, loop)
    app.register_error_handler(Exception, _explain)
    return app


def _ask_for_credentials(app: Flask, settings: Settings) -> None:
    if settings.basic_auth_user is None or settings.basic_auth_pass is None:
        return
    pair = f"{settings.basic_auth_user}:{settings.basic_auth_pass.get_secret_value()}"
    # RFC 7617 asks for UTF-8; the library Label Studio calls with sends Latin-1 where it can.
    accepted = [pair.encode("utf-8")]
    with suppress(UnicodeEncodeError):
        accepted.append(pair.encode("latin-1"))

    @app.before_request
    def check() -> Response | None:
        given = _credentials(request.headers.get("Authorization", ""))
        if request.path == "/health" or any(hmac.compare_digest(given, each) for each in accepted):
            return None
        answer = _sentence("This service asks for BASIC_AUTH_USER and BASIC_AUTH_PASS.", 401)
        answer.headers["WWW-Authenticate"] = 'Basic realm="label-studio-ner-backend", charset="UTF-8"'
        return answer


def _credentials(header: str) -> bytes:
    """The ``user:password`` of a Basic Authorization header, empty where it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""


def _explain(error: Exception) -> Response:
    """Every failure becomes one sentence; what was not foreseen goes to the log with its trace."""
    if isinstance(error, UnsupportedLabelConfig):
        return _sentence(str(error), 400)
    if isinstance(error, BackendError):
        if error.status >= 500:
            log.error("%s %s: %s", request.method, request.path, error)
        return _sentence(str(error), error.status)
    if isinstance(error, HTTPException):
        return _sentence(error.description or error.name, error.code or 500)
    log.exception("%s %s failed", request.method, request.path)
    return _sentence("Internal error: the service's log says more.", 500)


def _sentence(text: str, status: int) -> Response:
    answer = jsonify(error=text)
    # Label Studio shows its users the status line of a failed call, never the body.
    reason = text.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")
    answer.status = f"{status} {reason[:300]}"
    return answer
