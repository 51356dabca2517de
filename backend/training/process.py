"""Executes a training run or a review in a process of its own, so that a crash does not end the worker."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from backend.training.acceleration.environment import training_environment

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
"""Interval of the checks whether a run should continue."""

_GRACE_SECONDS = 2.5
"""Time between the signal to terminate and the signal to kill."""


class RunProcesses:
    """The processes that this worker has started; `stop_all` ends them together with the worker.

    ``module`` is the Python module they execute, with the id of a run or a review as its only argument. Each process
    leads its own process group, and its standard input is a pipe that closes when this worker ends.
    """

    def __init__(self, accelerate_config: Path | None = None, *, module: str = "backend.training.run") -> None:
        self._command = _command(module, accelerate_config)
        self._guard = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = threading.Event()

    def run(
        self,
        run_id: str,
        *,
        environment: Mapping[str, str],
        log_file: Path,
        should_continue: Callable[[], bool] = lambda: True,
    ) -> str | None:
        """Execute ``python -m MODULE RUN_ID``; return ``None``, or a sentence on how the process died.

        The process writes its outcome to the run's row; the sentence is for a death that it could not write there. The
        process and all that it started are ended within five seconds after ``should_continue`` returned ``False``.
        """
        with log_file.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *self._command, run_id],
                env={**training_environment(), **environment},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with self._guard:
            self._running[run_id] = process
        try:
            if not _wait(process, should_continue):
                return None
            if process.returncode:
                _signal(process, (), signal.SIGKILL)  # a launcher may have died before the processes it started
            return _death(process.returncode)
        finally:
            with self._guard:
                self._running.pop(run_id, None)
            if process.stdin:
                process.stdin.close()

    def stop_all(self) -> list[str]:
        """End every process; return the ids of their runs or reviews."""
        self.stopping.set()
        with self._guard:
            running = dict(self._running)
        for process in running.values():
            _end(process)
        return list(running)


def _command(module: str, accelerate_config: Path | None) -> list[str]:
    launch: list[str] = []
    if accelerate_config:
        launch = ["-m", "accelerate.commands.launch", "--config_file", str(accelerate_config)]
    return [*launch, "-m", module]


def _wait(process: subprocess.Popen[bytes], should_continue: Callable[[], bool]) -> bool:
    """Wait for the end of a process; ``False`` if it was ended because it should not continue."""
    while True:
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if should_continue():
                continue
            log.info("process %s is terminated: its work was cancelled or is not needed any more", process.pid)
            _end(process)
            return False
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and all that it started; kill those that still run after `_GRACE_SECONDS`."""
    descendants = _descendants(process.pid)  # `accelerate launch` puts some of them into other process groups
    _signal(process, descendants, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal(process, descendants, signal.SIGKILL)
    process.wait()
    _wait_for_all(descendants)  # their files are removed next


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _wait_for_all(processes: Sequence[psutil.Process]) -> None:
    until = time.monotonic() + 1.0
    while any(map(_is_running, processes)) and time.monotonic() < until:
        time.sleep(0.01)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: subprocess.Popen[bytes], descendants: Sequence[psutil.Process], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    for descendant in descendants:
        with suppress(psutil.Error):
            descendant.send_signal(number)


def _death(code: int) -> str | None:
    if code == 0:
        return None
    if code == -signal.SIGKILL:
        return "The training process was killed, most likely because memory ran out: lower TRAIN_BATCH_SIZE."
    if code < 0:
        return f"The training process was ended by the signal {signal.Signals(-code).name}."
    return f"The training process ended with exit code {code}: its log has the reason."
