"""What every process of this service writes to its log."""

from __future__ import annotations

import logging


def configure_logging(level: str) -> None:
    """Log to standard error; libraries that report every request are heard only when something is wrong."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level != "DEBUG":
        for chatty in ("httpx", "huey"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
