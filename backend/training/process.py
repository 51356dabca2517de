"""Starts a training run in a process of its own and waits for it, so that a crash ends a run and nothing else."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5.0


class RunProcesses:
    """The run processes this worker started; `stop_all` ends them with the worker."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = threading.Event()

    def carry_out(self, run_id: str, *, environment: Mapping[str, str], log_file: Path) -> str | None:
        """Run ``python -m backend.training.run RUN_ID`` to its end; return how it died, ``None`` for an orderly end.

        The process writes its own outcome to the run's row; only a death it could not write down is returned.
        """
        with log_file.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.training.run", run_id],
                # Idle OpenMP threads that spin would take the cores from the web server and from other runs.
                env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        with self._guard:
            self._running[run_id] = process
        try:
            code = process.wait()
        finally:
            with self._guard:
                self._running.pop(run_id, None)
        return _death(code)

    def stop_all(self) -> list[str]:
        """Terminate every run process; return the ids of their runs."""
        self.stopping.set()
        with self._guard:
            running = dict(self._running)
        for process in running.values():
            process.terminate()
        for process in running.values():
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return list(running)


def _death(code: int) -> str | None:
    if code == 0:
        return None
    if code == -signal.SIGKILL:
        return "The training process was killed, most likely because memory ran out (lower TRAIN_BATCH_SIZE)."
    if code < 0:
        return f"The training process was ended by {signal.Signals(-code).name}."
    return f"The training process ended with exit code {code}; its log says why."
