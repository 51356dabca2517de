"""Servers that are measured: their processes, and the most memory these used."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

from backend.registry import Registry
from backend.settings import Settings, load_settings
from backend.store import Store
from bench.corpus_model import ROOT, VERSION
from bench.memory import Peak, watched
from label_config import generate

UID = "1.1795221978"

_GRACE_SECONDS = 15.0


class Server:
    """A server in its own process group, listening on 127.0.0.1; leaving the context ends all its processes."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], *, port: int, log: Path) -> None:
        self.port = port
        self._peak = Peak()
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def wait_until_up(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = self._log.read_text(errors="replace").strip().splitlines()[-1:]
                raise SystemExit(f"The server {self._log.stem} does not answer; its log {self._log} ends with: {end}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    @property
    def peak_mb(self) -> float:
        """The most memory that its processes used while it was `watched`."""
        return self._peak.mb

    def forget_peak(self) -> None:
        """Measure the most memory from now on."""
        self._peak.mb = 0.0

    def watched(self) -> AbstractContextManager[None]:
        """Measure the memory of all its processes meanwhile."""
        return watched(self._process.pid, self._peak)


def our_server(version: Path, labels: Sequence[str], folder: Path) -> Server:
    """This service with default settings; the version is the current one of project `UID`."""
    folder.mkdir(parents=True)
    settings = load_settings(
        _env_file=None,
        host="127.0.0.1",
        port=_free_port(),
        model_dir=folder / "models",
        database_url=f"sqlite:///{folder / 'backend.sqlite3'}",
        log_level="WARNING",
    )
    _publish(version, labels, settings)
    command = [sys.executable, "-m", "backend", "serve"]
    return Server(command, settings.environment(), port=settings.port, log=folder / "ours.log")


def baseline_server(version: Path, folder: Path) -> Server:
    """The baseline, with as many processes and threads as this service has by default."""
    folder.mkdir(parents=True)
    settings, port = load_settings(_env_file=None), _free_port()
    shape = [str(number) for number in (port, settings.workers, settings.threads)]
    command = [sys.executable, "-m", "bench.baseline_server", str(version.resolve()), *shape]
    return Server(command, {"HF_HUB_OFFLINE": "1"}, port=port, log=folder / "baseline.log")


def _publish(version: Path, labels: Sequence[str], settings: Settings) -> None:
    store = Store(settings.database_url)
    store.projects.save(UID, title="Restaurants", label_config=generate(labels))
    registry = Registry(settings.model_dir, store)
    with registry.staging("bench") as staged:
        shutil.copytree(version, staged, dirs_exist_ok=True)
        registry.publish(UID, VERSION, staged, run="bench", labels=tuple(labels), metrics={})
    registry.promote(UID, VERSION, actor="bench")
    store.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
