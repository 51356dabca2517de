"""What a failed request is answered with: one sentence and an HTTP status, for Label Studio and for the dashboard."""

from __future__ import annotations

import logging

from flask import request
from werkzeug.exceptions import HTTPException

from backend.errors import BackendError
from label_config import UnsupportedLabelConfig

log = logging.getLogger(__name__)


def sentence_and_status(error: Exception) -> tuple[str, int]:
    """Explain an error; one that nobody expected is logged with its traceback."""
    if isinstance(error, UnsupportedLabelConfig):
        return str(error), 400
    if isinstance(error, BackendError):
        return str(error), error.status
    if isinstance(error, HTTPException):
        return error.description or error.name, error.code or 500
    log.exception("%s %s failed", request.method, request.path)
    return "Internal error: see the service's log.", 500
