"""Starts the demonstration's processes, each with a log file, and ends all of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import httpx

from backend.errors import BackendError

_GRACE_SECONDS = 10.0


class DemoError(BackendError):
    """The demonstration cannot continue."""


class Processes:
    """Processes in their own sessions, so that Ctrl-C reaches only this process, which ends them in order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with self.log(name).open("wb") as output:
            process = subprocess.Popen(
                list(command),
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((name, process))

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raise `DemoError` if a process has ended by itself."""
        for name, process in self._running:
            if process.poll() is not None:
                lines = self.log(name).read_text(errors="replace").strip().splitlines()
                raise DemoError(
                    f"{name} ended with exit code {process.returncode}; its log {self.log(name)} ends with: "
                    f"{lines[-1] if lines else '(nothing)'}"
                )

    def wait_for(self, url: str, *, name: str, seconds: float, tick: Callable[[str], None]) -> None:
        """Wait until ``url`` answers 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            tick("")
            time.sleep(0.5)
        raise DemoError(f"{name} did not answer at {url} within {seconds:.0f} s; its log is {self.log(name)}.")

    def stop(self) -> None:
        """End every process and what it started, the last started first."""
        for _, process in reversed(self._running):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        for _, process in reversed(self._running):
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def require_free_ports(ports: Mapping[str, int]) -> None:
    """Raise `DemoError` naming each taken port and how to choose another: ``{"make variable": port}``."""
    taken = {variable: port for variable, port in ports.items() if not _is_free(port)}
    if taken:
        names = " and ".join(f"{port} ({variable})" for variable, port in taken.items())
        choice = " ".join(f"{variable}={port + 1000}" for variable, port in taken.items())
        verb = "is" if len(taken) == 1 else "are"
        raise DemoError(f"Port {names} {verb} taken on this machine: choose another with `make demo {choice}`.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
