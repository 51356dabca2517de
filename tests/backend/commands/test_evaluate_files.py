from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import samples
from tests.backend.commands.conftest import Command
from tests.samples import marked, write_corpus


def test_scores_have_intervals_labels_and_mistakes(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write_corpus(tmp_path / "test.conll", [*samples.documents(40), marked("[Ana|Person] ate", id="99")])
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
    test = write_corpus(tmp_path / "test.conll", samples.documents(40))
    words, pieces = (
        json.loads(command("evaluate", str(version_folder), test, "--json", *options).stdout)
        for options in ([], ["--word-pieces"])
    )
    assert pieces["support"] > words["support"]
    assert pieces["f1"] != words["f1"]


def test_file_without_a_label_of_the_model_is_refused(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write_corpus(tmp_path / "test.conll", [marked("[Ana|Person] ate")])
    result = command("evaluate", str(version_folder), test)
    assert result.exit_code == 1
    assert "have no label in common (the model has Dish, Cuisine, Location; the file has Person)" in result.stderr


def test_few_texts_have_counts_in_place_of_scores(command: Command, version_folder: Path, tmp_path: Path) -> None:
    test = write_corpus(tmp_path / "test.conll", samples.documents(5))
    shown = command("evaluate", str(version_folder), test).stdout
    assert "F1 unknown: only 5 texts, 25 more are needed" in shown
    assert re.search(r"^all +unknown +unknown +found \d of 8", shown, re.M)
    values = json.loads(command("evaluate", str(version_folder), test, "--json").stdout)
    assert values["f1"] is None
    assert all(row["f1"] is None for row in values["per_label"].values())
    assert values["support"] == sum(len(document.spans) for document in samples.documents(5))
