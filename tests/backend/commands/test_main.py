from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tests.backend.commands.conftest import Command
from tests.backend.conftest import ROOT
from tests.backend.fakes import UID

COMMANDS = (
    "serve", "work", "connect", "check", "status", "runs", "log", "versions", "label-issues",
    "train", "cancel", "promote", "pin", "unpin", "preannotate", "export", "demo",
)  # fmt: skip


@pytest.mark.parametrize("words", [["--help"], ["-h"], []])
def test_help_lists_every_command(words: list[str], command: Command) -> None:
    shown = command(*words).output
    assert "learns named entities" in shown
    for name in COMMANDS:
        assert f"\n  {name} " in shown


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_fits_a_terminal_and_is_not_cut(words: list[str], command: Command) -> None:
    lines = command(*words, COLUMNS="80").output.splitlines()
    assert [line for line in lines[1:] if len(line) > 80 or line.endswith("...")] == []


def test_help_has_the_first_sentence_of_each_command_in_full(command: Command) -> None:
    shown = " ".join(command("--help", COLUMNS="80").output.split())
    assert "serve Answer Label Studio's requests on PORT (default 9090) until stopped. work Train" in shown
    assert "train Queue a training run for a project; `work` executes it. cancel" in shown


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
        ["pin"],
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


def test_foreseen_failure_is_one_sentence(command: Command, registered: str) -> None:
    result = command("promote", "--project", "7", "ner-v9")
    assert result.exit_code == 1
    assert result.output == f"Error: Project '{UID}' has no model version 'ner-v9'; it has: none yet.\n"


def test_project_is_looked_up_in_label_studio_without_a_token(command: Command) -> None:
    result = command("versions", "--project", "7")
    assert result.exit_code == 1
    assert "set LABEL_STUDIO_API_KEY" in result.output


def test_database_that_fails_is_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("SELECT …", {}, Exception("database is locked"))

    monkeypatch.setattr("backend.store.runs.Runs.latest", locked)
    result = command("runs")
    assert (result.exit_code, result.output) == (
        1, "Error: The database does not answer (database is locked): check DATABASE_URL.\n"
    )  # fmt: skip


def test_help_loads_no_library_that_it_does_not_need() -> None:
    heavy = "{'torch', 'transformers', 'label_studio_sdk', 'sqlalchemy', 'onnxruntime', 'numpy', 'flask', 'rich'}"
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, backend.__main__; print({heavy} & set(sys.modules))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded.stdout == "set()\n"


def test_earlier_name_of_a_command_still_works(command: Command, registered: str) -> None:
    earlier = command("suspects", "--project", "7")
    assert earlier.exit_code == 0
    assert earlier.output == command("label-issues", "--project", "7").output
    assert "suspects" not in command("--help").output
