from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from tests.backend.commands.conftest import Command
from tests.backend.fakes import FakeLabelStudio


@pytest.fixture
def studio(studio: FakeLabelStudio) -> FakeLabelStudio:
    studio.texts = {1: "sushi near me", 2: "more sushi"}
    studio.annotate(1, 2)
    return studio


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ([], "-DOCSTART- -X- O O\n\nsushi -X- _ B-Dish\nnear -X- _ O\nme -X- _ O\n\n"),
        (["--format", "conll"], "-DOCSTART- -X- O O\n\nsushi -X- _ B-Dish\nnear -X- _ O\nme -X- _ O\n\n"),
        (["--format", "bio"], "sushi B-Dish\nnear O\nme O\n\n"),
    ],
)
def test_labels_are_written_as_rows(
    form: list[str], rows: str, command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    result = command("export", "--project", "7", "out.conll", *form)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.conll").read_text().startswith(rows)
    assert (tmp_path / "out.conll.jsonl").exists() == (form != ["--format", "bio"])
    assert result.stderr.endswith("2 documents, 5 tokens, 2 entities written.\n")


def test_tasks_are_written_as_label_studio_gives_them(
    command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    command("export", "--project", "7", "out.json", "--format", "json")
    assert json.loads((tmp_path / "out.json").read_text()) == studio.labelled_tasks(7)
    studio.owners.clear()
    command("export", "--project", "7", "out.json", "--format", "json")
    assert json.loads((tmp_path / "out.json").read_text()) == []


def test_labels_of_another_project_with_the_same_number_are_not_written(
    command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    studio.uid = "7.1800000000"
    result = command("export", "--project", "7.1795221978", "out.conll")
    assert result.exit_code == 1
    assert "not the one this model was trained for" in result.stderr
    assert not (tmp_path / "out.conll").exists()
    assert command("export", "--project", "7.1800000000", "out.conll").exit_code == 0


@pytest.mark.parametrize("form", ["conll", "bio", "json"])
def test_report_names_what_was_left_out(form: str, command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.texts[2] = "no"  # the region ends behind it
    command("export", "--project", "7", "out", "--format", form, "--report", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["tasks"], report["problems"]) == (2, {"outside_text": 1})
    assert report["issues"][0]["task"] == "2"


def test_standard_output_holds_the_rows_alone(command: Command, studio: FakeLabelStudio) -> None:
    assert command("export", "--project", "7", "-", "--format", "bio").stdout.startswith("sushi B-Dish\nnear O\n")


def test_folder_that_does_not_exist_is_one_sentence(command: Command, studio: FakeLabelStudio) -> None:
    result = command("export", "--project", "7", "nowhere/out.conll")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: nowhere/")
    assert result.stderr.endswith(": No such file or directory\n")


def test_label_studio_that_is_away_is_one_sentence(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.down = LabelStudioUnreachable("Label Studio does not answer: check that it runs.")
    result = command("export", "--project", "7", "out.conll")
    assert (result.exit_code, result.output) == (1, "Error: Label Studio does not answer: check that it runs.\n")
    assert not (tmp_path / "out.conll").exists()


def test_result_file_holds_the_counts(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    assert command("export", "--project", "7", "out.conll", "--result", "result.json").exit_code == 0
    assert json.loads((tmp_path / "result.json").read_text()) == {"documents": 2, "tokens": 5, "entities": 2}


@pytest.mark.parametrize(
    ("target", "error", "kind", "sentence"),
    [
        (
            "out.conll",
            LabelStudioRefused("Label Studio refuses the access token."),
            "LabelStudioRefused",
            "Label Studio",
        ),
        ("nowhere/out.conll", None, "FileNotFoundError", "nowhere/"),
    ],
)
def test_result_file_holds_the_error_and_its_kind(
    target: str, error: LabelStudioError | None, kind: str, sentence: str,
    command: Command, studio: FakeLabelStudio, tmp_path: Path,
) -> None:  # fmt: skip
    studio.down = error
    result = command("export", "--project", "7", target, "--result", "result.json")
    assert result.exit_code == 1
    report = json.loads((tmp_path / "result.json").read_text())
    assert (report["kind"], set(report)) == (kind, {"kind", "error"})
    assert report["error"].startswith(sentence)
    assert result.stderr.endswith(f"Error: {report['error']}\n")


def test_unsupported_configuration_is_reported(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.label_config = "<View/>"
    assert command("export", "--project", "7", "out.conll", "--result", "result.json").exit_code == 1
    assert json.loads((tmp_path / "result.json").read_text())["kind"] == "UnsupportedLabelConfig"


def test_crash_leaves_no_result_file(
    command: Command, studio: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(studio, "labelled_tasks", crash)
    result = command("export", "--project", "7", "out.conll", "--result", "result.json")
    assert isinstance(result.exception, RuntimeError)
    assert list(tmp_path.glob("*result*")) == []
