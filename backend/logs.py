"""Logging, the same for every process of this service."""

from __future__ import annotations

import logging


def configure_logging(level: str) -> None:
    """Log to standard error; libraries that log every request log warnings only, unless the level is DEBUG."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level != "DEBUG":
        for chatty in ("httpx", "huey", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
