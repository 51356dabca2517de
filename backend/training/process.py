"""Starts a training run or a review in a process of its own and waits for it: a crash ends that and nothing else."""

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

_LOOK_SECONDS = 1.0
"""How often a run is asked for whether it is still wanted."""

_GRACE_SECONDS = 2.5
"""What a process gets to end by itself, before it is killed."""


class RunProcesses:
    """The run processes this worker started; `stop_all` ends them with the worker.

    ``module`` is what they run, with the id of a run (or of a review) as its only argument.
    Each leads a process group of its own, and reads from a pipe that closes when this process is no more.
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
        """Run ``python -m MODULE RUN_ID`` to its end; return how it died, ``None`` for an orderly end.

        The process writes its own outcome to the run's row; only a death it could not write down is returned. It is
        ended, with all that it started, within five seconds after ``should_continue`` returned ``False``.
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
                _signal(process, (), signal.SIGKILL)  # a launcher may have died alone
            return _death(process.returncode)
        finally:
            with self._guard:
                self._running.pop(run_id, None)
            if process.stdin:
                process.stdin.close()

    def stop_all(self) -> list[str]:
        """End every run process; return the ids of their runs."""
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
    """Wait for the end of a process; ``False`` when it was ended because it should not continue."""
    while True:
        try:
            process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if should_continue():
                continue
            log.info("process %s is ended", process.pid)
            _end(process)
            return False
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and all that it started; kill what is left a moment later."""
    started = _descendants(process.pid)  # `accelerate launch` gives some of them a group of their own
    _signal(process, started, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal(process, started, signal.SIGKILL)
    process.wait()
    _wait_for_all(started)  # before their files are removed


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _wait_for_all(started: Sequence[psutil.Process]) -> None:
    until = time.monotonic() + 1.0
    while any(map(_is_running, started)) and time.monotonic() < until:
        time.sleep(0.01)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: subprocess.Popen[bytes], started: Sequence[psutil.Process], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    for each in started:
        with suppress(psutil.Error):
            each.send_signal(number)


def _death(code: int) -> str | None:
    if code == 0:
        return None
    if code == -signal.SIGKILL:
        return "The training process was killed, most likely because memory ran out (lower TRAIN_BATCH_SIZE)."
    if code < 0:
        return f"The training process was ended by {signal.Signals(-code).name}."
    return f"The training process ended with exit code {code}; its log says why."
