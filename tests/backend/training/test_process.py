from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backend.training import process as module
from backend.training.process import RunProcesses
from tests.backend.conftest import ROOT

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
        ("exit 1", "The training process ended with exit code 1: its log has the reason."),
        ("kill -KILL $$", "The training process was killed, most likely because memory ran out"),
        ("kill -SEGV $$", "The training process was ended by the signal SIGSEGV."),
        ("kill -TERM $$", "The training process was ended by the signal SIGTERM."),
    ],
)
def test_death_is_described_in_one_sentence(
    script: str, death: str | None, run_process: Script, tmp_path: Path
) -> None:
    run_process(script)
    sentence = RunProcesses().run("abc", environment={}, log_file=tmp_path / "run.log")
    assert sentence is None if death is None else (sentence or "").startswith(death)


def test_process_gets_its_run_its_settings_and_its_log(
    run_process: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("FROM_OUTSIDE", "kept")
    run_process('echo "$@"; echo "$PORT $FROM_OUTSIDE" >&2')
    log = tmp_path / "run.log"
    log.write_text("first attempt\n")
    RunProcesses().run("abc", environment={"PORT": "2"}, log_file=log)
    assert log.read_text() == "first attempt\n-m backend.training.run abc\n2 kept\n"


@pytest.mark.parametrize("script", ["exec sleep 60", "trap '' TERM; while :; do sleep 0.05; done"])
def test_stopping_ends_every_process(
    script: str, run_process: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.2)
    run_process(f"touch {tmp_path}/$3; {script}")
    processes = RunProcesses()
    deaths: list[str | None] = []

    def run(run_id: str) -> None:
        deaths.append(processes.run(run_id, environment={}, log_file=tmp_path / "run.log"))

    threads = [threading.Thread(target=run, args=(run_id,)) for run_id in ("abc", "def")]
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


def is_running(pid_file: Path) -> bool:
    process = psutil.Process(int(pid_file.read_text())) if psutil.pid_exists(int(pid_file.read_text())) else None
    return process is not None and process.status() != psutil.STATUS_ZOMBIE


STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 60",
        STUBBORN,
        "sleep 60 & echo $! > {folder}/child; wait",
        "setsid sh -c 'echo $$ > {folder}/child; exec sleep 60' & wait",
        f'setsid sh -c "echo \\$\\$ > {{folder}}/child; {STUBBORN}" & wait',
    ],
    ids=["plain", "deaf", "child", "child in a session of its own", "deaf child in a session of its own"],
)
@pytest.mark.slow
def test_process_that_should_not_continue_is_gone_with_all_it_started_in_five_seconds(
    script: str, run_process: Script, tmp_path: Path
) -> None:
    pids = [tmp_path / "pid"] + [tmp_path / "child"] * ("child" in script)
    run_process(f"echo $$ > {tmp_path}/pid; {script.replace('{folder}', str(tmp_path))}")
    stopped_at: list[float] = []

    def should_continue() -> bool:
        if all(pid.exists() and pid.read_text() for pid in pids):
            stopped_at.append(time.monotonic())
        return not stopped_at

    death = RunProcesses().run("abc", environment={}, log_file=tmp_path / "run.log", should_continue=should_continue)
    assert death is None
    assert time.monotonic() - stopped_at[0] < 4
    assert not any(is_running(pid) for pid in pids)


def test_launcher_that_dies_takes_its_children_with_it(run_process: Script, tmp_path: Path) -> None:
    run_process(f"sleep 60 & echo $! > {tmp_path}/child; kill -KILL $$")
    assert RunProcesses().run("abc", environment={}, log_file=tmp_path / "run.log")
    until = time.monotonic() + 5
    while is_running(tmp_path / "child"):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_process_notices_the_end_of_its_worker(tmp_path: Path) -> None:
    # `read` fails with 1 at the end of its input, and with more than 128 after a fifth of a second without any.
    wait = f"read -t 0.2; echo $? > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/read"
    child = f"#!/bin/bash\n{wait}; cat; touch {tmp_path}/noticed\n"
    (tmp_path / "python").write_text(child)
    (tmp_path / "python").chmod(0o755)
    script = (
        "import sys; from pathlib import Path; from backend.training.process import RunProcesses\n"
        f"sys.executable = '{tmp_path}/python'\n"
        f"RunProcesses().run('abc', environment={{}}, log_file=Path('{tmp_path}/run.log'))"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    until = time.monotonic() + 20
    while not (tmp_path / "read").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert int((tmp_path / "read").read_text()) > 128
    worker.kill()
    worker.wait()
    while not (tmp_path / "noticed").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_run_is_launched_as_accelerate_was_configured(run_process: Script, tmp_path: Path) -> None:
    run_process('echo "$@"')
    log = tmp_path / "run.log"
    RunProcesses(tmp_path / "config.yaml").run("abc", environment={}, log_file=log)
    launch = f"-m accelerate.commands.launch --config_file {tmp_path}/config.yaml"
    assert log.read_text() == f"{launch} -m backend.training.run abc\n"
