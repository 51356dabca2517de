"""What a failed request is answered with: one sentence and an HTTP status, for Label Studio and for the dashboard."""

from __future__ import annotations

import logging
import unicodedata

from flask import request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from backend.errors import BackendError
from label_config import UnsupportedLabelConfig

log = logging.getLogger(__name__)

_REASON_LENGTH = 300
_PATH_LENGTH = 100

_TYPOGRAPHY = str.maketrans(
    {
        "→": "->", "←": "<-", "▸": ">", "…": "...", "•": "*", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "−": "-",
        "–": "-", "—": "-", "‐": "-", "‑": "-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'", "€": "EUR",
        "Ł": "L", "ł": "l", "Đ": "D", "đ": "d", "Œ": "OE", "œ": "oe", "ı": "i",
    }
)  # fmt: skip


def sentence_and_status(error: Exception) -> tuple[str, int]:
    """Explain an error; one that nobody expected is logged with its traceback."""
    if isinstance(error, UnsupportedLabelConfig):
        return str(error), 400
    if isinstance(error, BackendError):
        return str(error), error.status
    if isinstance(error, NotFound):
        return f"{request.path[:_PATH_LENGTH]} was not found on this service: check the address.", 404
    if isinstance(error, MethodNotAllowed):
        methods = " or ".join(sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}))
        return f"{request.method} is not allowed at {request.path[:_PATH_LENGTH]}: use {methods}.", 405
    if isinstance(error, HTTPException):
        return error.description or error.name, error.code or 500
    log.exception("%s %s failed", request.method, request.path)
    return "Internal error: see the service's log.", 500


def status_line(sentence: str, status: int) -> str:
    """The status line that carries a sentence in Latin-1, on one line and of limited length.

    Label Studio shows its users the status line of a failed request, never the body, and reads it as Latin-1.
    Typographic signs become ASCII, letters with other accents lose these, and other characters become ``\\uXXXX``.
    """
    reason = "".join(map(_in_latin_1, sentence.translate(_TYPOGRAPHY)))
    return f"{status} {reason[:_REASON_LENGTH]}"


def _in_latin_1(character: str) -> str:
    if ord(character) < 256:
        return character if character.isprintable() else " "
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    if plain and plain.isprintable() and ord(max(plain)) < 256:
        return plain
    return character.encode("ascii", "backslashreplace").decode()
