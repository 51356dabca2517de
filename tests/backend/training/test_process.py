from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.training import process as module
from backend.training.process import RunProcesses

Script = Callable[[str], None]


@pytest.fixture
def run_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Give the shell script that takes the place of a run's process."""

    def use(script: str) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return use


@pytest.mark.parametrize(
    ("script", "death"),
    [
        ("exit 0", None),
        ("exit 1", "The training process ended with exit code 1; its log says why."),
        ("kill -KILL $$", "The training process was killed, most likely because memory ran out"),
        ("kill -SEGV $$", "The training process was ended by SIGSEGV."),
        ("kill -TERM $$", "The training process was ended by SIGTERM."),
    ],
)
def test_death_is_told_in_one_sentence(script: str, death: str | None, run_process: Script, tmp_path: Path) -> None:
    run_process(script)
    told = RunProcesses().carry_out("abc", environment={}, log_file=tmp_path / "run.log")
    assert told is None if death is None else (told or "").startswith(death)


def test_process_gets_its_run_its_settings_and_its_log(
    run_process: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("FROM_OUTSIDE", "kept")
    run_process('echo "$@"; echo "$PORT $FROM_OUTSIDE" >&2; cat')
    log = tmp_path / "run.log"
    log.write_text("first attempt\n")
    RunProcesses().carry_out("abc", environment={"PORT": "2"}, log_file=log)
    assert log.read_text() == "first attempt\n-m backend.training.run abc\n2 kept\n"


@pytest.mark.parametrize("script", ["exec sleep 60", "trap '' TERM; while :; do sleep 0.05; done"])
def test_stopping_ends_every_process(
    script: str, run_process: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.2)
    run_process(f"touch {tmp_path}/$3; {script}")
    processes = RunProcesses()
    deaths: list[str | None] = []

    def carry_out(run_id: str) -> None:
        deaths.append(processes.carry_out(run_id, environment={}, log_file=tmp_path / "run.log"))

    threads = [threading.Thread(target=carry_out, args=(run_id,)) for run_id in ("abc", "def")]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 10
    while not ((tmp_path / "abc").exists() and (tmp_path / "def").exists() and len(processes._running) == 2):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert sorted(processes.stop_all()) == ["abc", "def"]
    for thread in threads:
        thread.join(5)
    assert len(deaths) == 2
    assert all(deaths)
    assert processes.stopping.is_set()
    assert processes.stop_all() == []
