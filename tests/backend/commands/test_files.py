from __future__ import annotations

import json
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
    assert "nowhere is no version of a model" in result.stderr


def test_scores_have_intervals_labels_and_mistakes(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", [*samples.documents(40), marked("[Ana|Person] ate", id="99")])
    result = command("evaluate", str(version_folder), test)
    assert result.exit_code == 0, result.output
    assert "on 41 texts" in result.stdout
    assert {line.split()[0] for line in result.stdout.splitlines() if line} >= {"all", "Cuisine", "Dish", "Person"}
    mistakes = result.stdout.partition("mistakes:\n")[2].splitlines()
    assert [row.split()[-1] for row in mistakes if row.startswith("Person")] == ["1"]
    assert "the model lacks; their regions count as missed: Person" in result.stderr
    values = json.loads(command("evaluate", str(version_folder), test, "--json").stdout)
    assert values["documents"] == 41
    assert values["per_label"]["Person"]["recall"] == 0
    assert values["intervals"]["f1"][0] < values["f1"] <= values["intervals"]["f1"][1]


def test_few_texts_have_counts_in_place_of_scores(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write(tmp_path / "test.conll", samples.documents(5))
    assert "F1 unknown: only 5 texts, 25 more are needed" in command("evaluate", str(version_folder), test).stdout
    values = json.loads(command("evaluate", str(version_folder), test, "--json").stdout)
    assert values["f1"] is None
    assert all(row["f1"] is None for row in values["per_label"].values())
    assert values["gold"] == sum(len(document.spans) for document in samples.documents(5))


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


def test_table_and_rows_show_the_same_region(command: Command, version_folder: Path) -> None:
    assert "ramen" in command("tag", str(version_folder), TEXT).stdout
    assert "ramen -X- _ B-Dish\n" in command("tag", str(version_folder), TEXT, "--format", "conll").stdout
