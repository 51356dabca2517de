from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.backend.commands.conftest import Command

TEXT = "🍣 Who makes the best ramen for kids?"


def test_spans_of_a_text_have_offsets_in_code_points(command: Command, version_folder: Path) -> None:
    (line,) = command("tag", str(version_folder), TEXT, "--format", "jsonl").stdout.splitlines()
    (span,) = json.loads(line)["spans"]
    assert (span["start"], span["end"], span["label"], span["text"]) == (21, 26, "Dish", "ramen")
    assert 0 < span["score"] <= 1


@pytest.mark.parametrize(("options", "texts"), [([], ["best ramen", "", "in Boston"]), (["--whole"], None)])
def test_file_is_one_text_a_line_unless_it_is_one_text(
    options: list[str], texts: list[str] | None, command: Command, version_folder: Path, tmp_path: Path
) -> None:
    content = "best ramen\n\nin Boston\n"
    (tmp_path / "texts.txt").write_text(content)
    lines = command("tag", str(version_folder), "texts.txt", "--format", "jsonl", *options).stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == (texts or [content])


@pytest.mark.parametrize(
    ("text", "says", "code"),
    [
        ("notes.txt", "No file is named notes.txt, so this is read as a text.", 0),
        ("data/notes", "No file is named data/notes, so this is read as a text.", 0),
        ("ramen", "", 0),
        ("ramen in Boston.", "", 0),
        ("folder", "folder is a folder: give a file, a text, or - for standard input.", 1),
        ("a" * 10_000, "", 0),
    ],
)
def test_name_without_a_file_is_a_text(
    text: str, says: str, code: int, command: Command, version_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    result = command("tag", str(version_folder), text, "--format", "jsonl")
    assert (result.exit_code, says in result.stderr, bool(result.stderr)) == (code, True, bool(says))


def test_file_that_is_not_utf_8_is_named_with_its_line(command: Command, version_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_bytes(b"ramen\ncr\xe8me\n")
    result = command("tag", str(version_folder), "texts.txt")
    assert (result.exit_code, result.stderr) == (1, "Error: texts.txt is not UTF-8 (line 2): convert it to UTF-8.\n")


def test_table_and_rows_show_the_same_region(command: Command, version_folder: Path) -> None:
    assert "ramen" in command("tag", str(version_folder), TEXT).stdout
    assert "ramen -X- _ B-Dish\n" in command("tag", str(version_folder), TEXT, "--format", "conll").stdout
