from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backend.check.result import Result, fault, note, ok
from tests.backend.commands.conftest import Command

OK = Result("database", ok("sqlite:///data/backend.sqlite3"))
NOTE = Result("task order", note("Choose Uncertainty sampling."), 7)
FAULT = Result("worker", fault("No worker is running: start `python -m backend work`.\x1b[31m"))


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    results: list[Result] = []

    def run_checks(*_: Any) -> Iterator[Result]:
        yield from results

    monkeypatch.setattr("backend.check.run.run_checks", run_checks)
    return results


@pytest.mark.parametrize(
    ("found", "exit_code", "lines"),
    [
        (
            [OK],
            0,
            [
                "ok     database: sqlite:///data/backend.sqlite3",
                "No faults; no project is connected: `python -m backend connect --project ID`.",
            ],
        ),
        (
            [OK, NOTE],
            0,
            [
                "ok     database: sqlite:///data/backend.sqlite3",
                "note   project 7, task order: Choose Uncertainty sampling.",
                "No faults.",
            ],
        ),
        (
            [FAULT],
            1,
            [
                "fault  worker: No worker is running: start `python -m backend work`.\ufffd[31m",
                "1 fault: mend it, then check again.",
            ],
        ),
        (
            [Result("Auto-Annotation", ok(), 7), FAULT, FAULT],
            1,
            [
                "ok     project 7, Auto-Annotation",
                *["fault  worker: No worker is running: start `python -m backend work`.\ufffd[31m"] * 2,
                "2 faults: mend them, then check again.",
            ],
        ),
    ],
)
def test_one_line_for_each_item(
    found: list[Result], exit_code: int, lines: list[str], results: list[Result], command: Command
) -> None:
    results += found
    result = command("check", "--project", "7")
    assert (result.exit_code, result.output.splitlines()) == (exit_code, lines)


def test_json_has_one_object_for_each_item(results: list[Result], command: Command) -> None:
    results += [OK, NOTE, FAULT]
    result = command("check", "--json")
    assert result.exit_code == 1
    rows = json.loads(result.stdout)
    assert rows[1] == {
        "project": 7,
        "item": "task order",
        "state": "note",
        "message": "Choose Uncertainty sampling.",
    }
    assert [row["state"] for row in rows] == ["ok", "note", "fault"]


def test_wrong_project_number_is_wrong_usage(command: Command) -> None:
    assert command("check", "--project", "seven").exit_code == 2


def test_setting_that_cannot_be_read_is_named(command: Command) -> None:
    result = command("check", PORT="many")
    assert result.exit_code == 1
    assert result.output.startswith("Error: PORT: ")
