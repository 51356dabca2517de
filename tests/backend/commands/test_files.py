from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import samples
from tests.backend.commands.conftest import Command
from tests.backend.commands.test_fit import write
from tests.samples import marked

TEXT = "🍣 Who makes the best ramen for kids?"


@pytest.mark.parametrize("name", ["evaluate", "tag"])
def test_folder_that_is_no_version_is_named(name: str, command: Command, tmp_path: Path) -> None:
    result = command(name, "nowhere", "text")
    assert result.exit_code == 1
    assert "nowhere is no folder: give a folder that `fit` wrote" in result.stderr
    assert "is no version of a model" in command(name, str(tmp_path), "text").stderr


def test_scores_have_intervals_labels_and_mistakes(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", [*samples.documents(40), marked("[Ana|Person] ate", id="99")])
    result = command("evaluate", str(version_folder), test)
    assert result.exit_code == 0, result.output
    assert "on 41 texts" in result.stdout
    scores, _, mistakes = result.stdout.partition("\nThe most frequent mistakes:\n")
    rows = {line.split()[0]: line.split() for line in scores.splitlines() if line}
    assert rows["Person"] == ["Person", "unknown", "unknown", "found", "0", "of", "1", "–", "1"]
    assert 0.8 < float(rows["Cuisine"][3]) <= 1.0
    assert [row.split()[-1] for row in mistakes.splitlines() if row.startswith("Person")] == ["1"]
    assert "The model lacks these labels, so their regions count as missed: Person." in result.stderr
    values = json.loads(command("evaluate", str(version_folder), test, "--json").stdout)
    assert (values["documents"], values["unknown"]) == (41, None)
    assert values["per_label"]["Person"]["recall"] is None
    assert values["intervals"]["f1"][0] < values["f1"] <= values["intervals"]["f1"][1]
    assert values["recall"] == pytest.approx(values["correct"] / values["support"])


def test_word_pieces_are_scored_in_place_of_words(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", samples.documents(40))
    words, pieces = (
        json.loads(command("evaluate", str(version_folder), test, "--json", *options).stdout)
        for options in ([], ["--word-pieces"])
    )
    assert pieces["support"] > words["support"]
    assert pieces["f1"] != words["f1"]


def test_file_without_a_label_of_the_model_is_refused(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", [marked("[Ana|Person] ate")])
    result = command("evaluate", str(version_folder), test)
    assert result.exit_code == 1
    assert "have no label in common (the model has Dish, Cuisine, Location; the file has Person)" in result.stderr


def test_few_texts_have_counts_in_place_of_scores(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", samples.documents(5))
    shown = command("evaluate", str(version_folder), test).stdout
    assert "F1 unknown: only 5 texts, 25 more are needed" in shown
    assert re.search(r"^all +unknown +unknown +found \d of 8", shown, re.M)
    values = json.loads(command("evaluate", str(version_folder), test, "--json").stdout)
    assert values["f1"] is None
    assert all(row["f1"] is None for row in values["per_label"].values())
    assert values["support"] == sum(len(document.spans) for document in samples.documents(5))


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
