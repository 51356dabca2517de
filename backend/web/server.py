"""The web server: gunicorn with threads, configured from the settings."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from backend.settings import Settings

# Label Studio waits 100 s for predictions; gunicorn replaces a process that is stuck for longer.
_TIMEOUT_SECONDS = 120

_IN_MEMORY = Path("/dev/shm")  # noqa: S108


class Server(BaseApplication):
    """gunicorn without its command line; every process creates its own application after the fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def _options(self) -> dict[str, Any]:
        return {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "worker_class": "gthread",
            "workers": self._settings.workers,
            "threads": self._settings.threads,
            "timeout": _TIMEOUT_SECONDS,
            "graceful_timeout": 10,
            "keepalive": 5,
            "proc_name": "label-studio-ner-backend",
            "loglevel": self._settings.log_level.lower(),
            "control_socket_disable": True,
            # gunicorn touches a file there at every request; on a disk that takes half a millisecond.
            "worker_tmp_dir": str(_IN_MEMORY) if os.access(_IN_MEMORY, os.W_OK) else None,
        }

    def load(self) -> Flask:
        # Imported after the fork: a process that inherits ONNX Runtime from its parent hangs at exit.
        from backend.web.app import create_app

        app = create_app(self._settings)
        gc.collect()
        gc.freeze()  # objects loaded by now are never garbage: checking them would delay a request now and then
        return app


def serve(settings: Settings) -> None:
    """Answer Label Studio until SIGTERM or SIGINT."""
    Server(settings).run()
