"""The outcome of one check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BackendError
from label_config import UnsupportedLabelConfig

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``text`` says what works (``ok``), or is one sentence with the remedy; a ``note`` need not be mended."""

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome for one item, of a project (its number in Label Studio) or of the whole service."""

    item: str
    outcome: Outcome
    project: int | None = None


def ok(text: str = "") -> Outcome:
    return Outcome("ok", text)


def note(text: str) -> Outcome:
    return Outcome("note", text)


def fault(text: str) -> Outcome:
    return Outcome("fault", text)


def outcome_of(check: Callable[[], Outcome]) -> Outcome:
    """The outcome of a check; an error that this service explains is a fault."""
    try:
        return check()
    except (BackendError, UnsupportedLabelConfig) as error:
        return fault(str(error))
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        return fault(f"The database does not answer ({reason}): check DATABASE_URL, and whether its disk is full.")
