from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import __main__ as module
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store
from backend.tables import Run, Version
from tests.backend.conftest import ROOT
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

Publish = Callable[..., Version]
Command = Callable[..., Result]

COMMANDS = ("serve", "work", "connect", "train", "cancel", "versions", "promote", "pin", "unpin", "demo")


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run ``python -m backend`` with the test's settings in its environment."""
    monkeypatch.chdir(tmp_path)  # no .env of a developer

    def run(*words: str, **variables: str) -> Result:
        environment = {**settings.environment(), **variables}
        return CliRunner().invoke(module.cli, words, env=environment, prog_name="python -m backend")

    return run


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    studio = FakeLabelStudio()
    monkeypatch.setattr("backend.label_studio.open_label_studio", lambda settings: studio)
    return studio


@pytest.fixture
def met(store: Store) -> str:
    """A project this service knows."""
    return store.projects.remember(UID, title="Restaurants", label_config=LABEL_CONFIG).uid


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_help_lists_every_command(words: list[str], command: Command) -> None:
    shown = command(*words).output
    assert "learns named entities" in shown
    for name in COMMANDS:
        assert f"\n  {name} " in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, command: Command) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: python -m backend {name}" in result.output


def test_module_is_the_program(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(
        [sys.executable, "-m", "backend", "--help"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.startswith("Usage: python -m backend [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    "words",
    [
        ["unknown"],
        ["versions"],
        ["promote", "--project", "7"],
        ["pin", "ner-v1"],
        ["cancel"],
        ["versions", "--project", "seven"],
        ["versions", "--project", "-7"],
        ["versions", "--project", ""],
        ["versions", "--project", "²"],
        ["train", "--project", "7", "--unknown"],
    ],
)
def test_wrong_usage_is_exit_code_two(words: list[str], command: Command) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert "Error: " in result.output


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("PORT", "many", "Error: PORT: "),
        ("DATABASE_URL", "nonsense", "Error: DATABASE_URL is not usable ("),
        ("LABEL_STUDIO_URL", "studio", "Error: LABEL_STUDIO_URL: "),
    ],
)
def test_wrong_setting_is_one_sentence(variable: str, value: str, sentence: str, command: Command) -> None:
    result = command("versions", "--project", "7", **{variable: value})
    assert result.exit_code == 1
    assert result.output.startswith(sentence)
    assert len(result.output.splitlines()) == 1


def test_foreseen_failure_is_one_sentence(command: Command, met: str) -> None:
    result = command("promote", "--project", "7", "ner-v9")
    assert result.exit_code == 1
    assert result.output == f"Error: Project '{UID}' has no model version 'ner-v9'; it has: none yet.\n"


def test_project_is_looked_up_in_label_studio_without_a_token(command: Command) -> None:
    result = command("versions", "--project", "7")
    assert result.exit_code == 1
    assert "set LABEL_STUDIO_API_KEY" in result.output


# versions and promote


def test_versions_show_what_serves_and_why(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1", metrics={"f1": 0.5})
    publish("ner-v2", metrics={}, current=False, verdict="rejected: worse")
    result = command("versions", "--project", "7")
    assert result.exit_code == 0
    second, first = result.output.splitlines()
    assert second.startswith("  ner-v2     20")
    assert second.endswith(" UTC  F1 –      rejected: worse")
    assert first.startswith("* ner-v1     20")
    assert first.endswith(" UTC  F1 0.500  promoted: it is the first")


def test_project_without_a_version_says_how_to_get_one(command: Command, met: str) -> None:
    assert command("versions", "--project", met).output.startswith("No version yet: label some tasks")


def test_project_not_met_yet_is_looked_up_in_label_studio(
    command: Command, studio: FakeLabelStudio, store: Store
) -> None:
    assert command("versions", "--project", "7").exit_code == 0
    assert (store.projects.get(UID).title, store.projects.get(UID).label_config) == ("Restaurants", LABEL_CONFIG)


def test_newest_project_of_a_number_is_meant(command: Command, publish: Publish) -> None:
    publish("ner-v1", uid="7.100")
    publish("ner-v2", uid="7.99")
    assert "ner-v1" in command("versions", "--project", "7").output
    assert "ner-v2" in command("versions", "--project", "7.99").output


def test_promote_makes_an_earlier_version_serve(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1")
    publish("ner-v2")
    result = command("promote", "--project", "7", "ner-v1")
    assert result.output == "ner-v1 serves now; its predictions are on their way to Label Studio.\n"
    assert store.projects.get(UID).current_version == "ner-v1"
    assert store.refreshes.due(UID) == 1


def test_versions_show_which_are_pinned_and_which_have_no_files(command: Command, publish: Publish) -> None:
    for name in ("ner-v1", "ner-v2", "ner-v3"):
        publish(name)
    assert command("pin", "--project", "7", "ner-v2").output == "ner-v2 is pinned.\n"
    publish("ner-v4")
    assert command("unpin", "--project", "7", "ner-v3").output == "ner-v3 is not pinned any more.\n"
    lines = command("versions", "--project", "7").output.splitlines()
    assert [line.partition("first")[2] for line in lines] == ["", "", " [pinned]", ""]


def test_pruned_version_cannot_be_pinned(command: Command, publish: Publish, registry: Registry) -> None:
    publish("ner-v1")
    publish("ner-v2")
    registry.remove(UID, "ner-v1")
    assert command("versions", "--project", "7").output.splitlines()[1].endswith("it is the first [files removed]")
    for words in (["pin"], ["promote"]):
        result = command(*words, "--project", "7", "ner-v1")
        assert result.exit_code == 1
        assert result.output == (
            "Error: The files of model version 'ner-v1' were removed to save space: use ner-v2, or train a new one.\n"
        )


# train


def test_train_queues_a_run(command: Command, met: str, store: Store) -> None:
    result = command("train", "--project", "7")
    (run,) = store.runs.latest()
    assert result.output == f"Run {run.id} is queued.\n"
    assert (run.state, run.reason) == ("queued", "command line")


@pytest.mark.parametrize("state", ["finished", "failed"])
def test_train_waits_for_the_end_of_the_run(
    state: str, command: Command, met: str, store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1")

    def carry_out() -> None:
        until = time.monotonic() + 10
        while (run := store.runs.claim()) is None and time.monotonic() < until:
            time.sleep(0.02)
        assert run is not None
        if state == "finished":
            store.runs.end(run.id, "finished", version="ner-v1")
        else:
            store.runs.end(run.id, "failed", error="There are 0 labelled tasks.")

    worker = threading.Thread(target=carry_out)
    worker.start()
    result = command("train", "--project", "7", "--wait")
    worker.join()
    (run,) = store.runs.latest()
    if state == "finished":
        assert result.exit_code == 0
        assert f"Run {run.id} finished: version ner-v1, promoted: it is the first." in result.output
    else:
        assert result.exit_code == 1
        assert f"Error: Run {run.id} failed: There are 0 labelled tasks." in result.output


def test_cancelled_run_ends_the_wait(command: Command, met: str, store: Store) -> None:
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
     (200.0, ", about 3 min left"), (7300.0, ", about 121 min left")],
)  # fmt: skip
def test_time_left_is_shown_in_round_figures(seconds: float | None, shown: str) -> None:
    assert module._time_left(Run(eta_seconds=seconds)) == shown


# cancel


def test_run_is_cancelled_by_the_beginning_of_its_id(command: Command, met: str, store: Store) -> None:
    run, _ = store.runs.queue(met, "button")
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


# connect


@pytest.mark.parametrize(
    ("threshold", "told"),
    [(3, "A model is trained after every 3 changed tasks."), (0, "Training starts only by hand.")],
)
def test_connect_tells_the_labels_and_the_threshold(
    threshold: int, told: str, command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []
    monkeypatch.setattr(studio, "connect_backend", lambda project, url, **_: connected.append(url) or 1, raising=False)
    monkeypatch.setattr(studio, "authorise_webhook", lambda *_: None, raising=False)
    monkeypatch.setattr(studio, "switch_prelabelling_on", lambda *_: None, raising=False)
    result = command("connect", "--project", "7", START_TRAINING_EACH_N_UPDATES=str(threshold), PORT="9191")
    assert result.output == f"Project 7 “Restaurants” is connected; its labels: Dish, Cuisine, Location.\n{told}\n"
    assert connected == ["http://localhost:9191"]
