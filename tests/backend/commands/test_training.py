from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable

import pytest

from backend.commands import training as module
from backend.conversion import Conversion, Use
from backend.evaluation.gate import GateDecision
from backend.evaluation.verdict import explain
from backend.loop import Loop
from backend.store import Store
from backend.store.models import TOO_FEW_LABELS, Run, RunState, Version
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID

Publish = Callable[..., Version]


def test_train_queues_a_run(command: Command, registered: str, store: Store) -> None:
    result = command("train", "--project", "7")
    (run,) = store.runs.latest()
    assert result.output == f"Run {run.id} is queued.\n"
    assert (run.state, run.reason) == ("queued", "command line")


@pytest.mark.parametrize(
    ("state", "kind", "outcome"),
    [
        ("finished", None, ""),
        ("failed", None, "failed: There are 0 labelled tasks."),
        ("failed", TOO_FEW_LABELS, "made no version. There are 0 labelled tasks."),
    ],
)
def test_train_waits_for_the_end_of_the_run(
    state: str,
    kind: str | None,
    outcome: str,
    command: Command,
    registered: str,
    store: Store,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decision = GateDecision(promote=True, rule="no_current_version", documents=84, f1=0.5)
    publish("ner-v1", decision=decision)

    def execute() -> None:
        until = time.monotonic() + 10
        while (run := store.runs.claim()) is None and time.monotonic() < until:
            time.sleep(0.02)
        assert run is not None
        if state == "finished":
            store.runs.end(run.id, "finished", version="ner-v1")
        else:
            store.runs.end(run.id, "failed", error="There are 0 labelled tasks.", error_kind=kind)

    worker = threading.Thread(target=execute)
    worker.start()
    result = command("train", "--project", "7", "--wait")
    worker.join()
    (run,) = store.runs.latest()
    if state == "finished":
        assert result.exit_code == 0
        assert f"Run {run.id} finished: version ner-v1, {explain(decision)}." in result.output
    else:
        assert result.exit_code == 1
        assert f"Error: Run {run.id} {outcome}" in result.output


def test_cancelled_run_ends_the_wait(command: Command, registered: str, store: Store) -> None:
    def cancel() -> None:
        until = time.monotonic() + 10
        while not store.runs.latest() and time.monotonic() < until:
            time.sleep(0.02)
        store.runs.end(store.runs.latest()[0].id, "cancelled")

    worker = threading.Thread(target=cancel)
    worker.start()
    result = command("train", "--project", "7", "--wait")
    worker.join()
    assert result.exit_code == 1
    assert result.output.endswith(f"Error: Run {store.runs.latest()[0].id} was cancelled.\n")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (1.0, ", about 1 s left"), (59.4, ", about 59 s left"), (59.6, ", about 1 min left"),
     (200.0, ", about 3 min left"), (7300.0, ", about 2 h 1 min left")],
)  # fmt: skip
def test_time_left_is_shown_in_round_figures(seconds: float | None, shown: str) -> None:
    assert module._time_left(Run(eta_seconds=seconds)) == shown


def test_run_is_cancelled_by_the_beginning_of_its_id(command: Command, registered: str, store: Store) -> None:
    run, _ = store.runs.queue(registered, "button")
    result = command("cancel", run.id[:5])
    assert (result.exit_code, result.output) == (0, f"Run {run.id} is cancelled.\n")
    assert store.runs.get(run.id).state == "cancelled"
    again = command("cancel", run.id)
    assert again.exit_code == 1
    assert again.output == f"Error: Training run {run.id} has ended already: it was cancelled.\n"


def test_unknown_run_is_one_sentence(command: Command) -> None:
    result = command("cancel", "nope")
    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no training run 'nope'")


# runs and log


def test_no_run_yet(command: Command, registered: str) -> None:
    assert command("runs").output.startswith("No run yet: ")
    assert json.loads(command("runs", "--project", "7", "--json").stdout) == []


def test_runs_are_listed_with_what_came_of_them(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1")
    outcomes: list[tuple[RunState, str | None, str | None, str | None]] = [
        ("finished", "ner-v1", None, None),
        ("failed", None, "No [labels].", None),
        ("failed", None, "There are 0 labelled tasks.", TOO_FEW_LABELS),
    ]
    for state, version, error, kind in outcomes:
        run, _ = store.runs.queue(UID, "button")
        store.runs.claim()
        if version:
            store.runs.update(run.id, attempt=1, conversion=Conversion(Use(120, 118, 412, 380)).to_dict())
        store.runs.end(run.id, state, version=version, error=error, error_kind=kind)
    waiting, _ = store.runs.queue(UID, "3 changed tasks")
    heading, *rows = (re.split("  +", line) for line in command("runs").output.splitlines())
    assert heading == ["run", "project", "queued", "reason", "state", "took", "regions used", "result"]
    assert [row[3:] for row in rows] == [
        ["3 changed tasks", "queued", "–", "–"],
        ["button", "too few labels", "0 s", "–", "There are 0 labelled tasks."],
        ["button", "failed", "0 s", "–", "No [labels]."],
        ["button", "finished", "0 s", "380 of 412", "ner-v1"],
    ]
    assert rows[0][:2] == [waiting.id, "7"]
    [newest] = json.loads(command("runs", "--limit", "1", "--json").stdout)
    assert (newest["id"], newest["state"], newest["started_at"]) == (waiting.id, "queued", None)
    assert newest["queued_at"].endswith("Z")


def test_log_shows_the_last_lines_harmlessly(command: Command, registered: str, store: Store, loop: Loop) -> None:
    run, _ = store.runs.queue(registered, "button")
    assert "has written nothing yet; it is queued." in command("log", run.id[:6]).output
    loop.registry.log_file(registered, run.id).write_text("first\nsecond\n\x1b[31mthird [/]\n")
    assert command("log", run.id, "--lines", "2").output == "second\n\ufffd[31mthird [/]\n"
