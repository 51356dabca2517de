from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import NotEnoughLabels
from backend.training.files import make_sets
from backend.training.split import subset_of
from converters.conll import write_conll
from converters.document import Document
from tests import samples
from tests.backend.commands.conftest import Command
from tests.samples import marked


def write(file: Path, documents: list[Document]) -> str:
    with file.open("w", encoding="utf-8") as rows, file.with_name(f"{file.name}.jsonl").open("w") as sidecar:
        write_conll(documents, rows, sidecar=sidecar)
    return str(file)


@pytest.mark.slow
def test_version_is_trained_from_files_alone(command: Command, tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus.conll", samples.documents())
    test = write(tmp_path / "test.conll", [*samples.documents(40), marked("[Ana|Person] ate", id="99")])
    result = command("fit", corpus, "--test", test, "--output", "model", "--base-model", "embedded", "--epochs", "1")
    assert result.exit_code == 0, result.output
    assert "Labels: Cuisine, Dish, Location." in result.stderr
    assert "Held out of the training file for validation" in result.stderr
    assert "lacks count as missed: Person." in result.stderr
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["counts"]["documents"]["test"] == 41
    person = metrics["test"]["per_label"]["Person"]
    assert (person["recall"], person["support"]) == (0, 1)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Label Studio project" not in card
    assert "`corpus.conll`, `test.conll`" in card
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name) == []


def test_folder_with_files_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes").write_text("mine")
    result = command("fit", "corpus.conll", "--output", "model")
    assert result.exit_code == 1
    assert "model exists and is not an empty folder" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"), [("", "no labelled text"), ("just words\nwithout tags\n", "corpus.conll: ")]
)
def test_file_that_is_no_corpus_is_named(content: str, words: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "corpus.conll").write_text(content)
    result = command("fit", "corpus.conll", "--output", "model")
    assert result.exit_code == 1
    assert words in result.stderr
    assert not (tmp_path / "model").exists()


def test_failure_of_training_is_one_sentence_and_leaves_nothing(command: Command, tmp_path: Path) -> None:
    corpus = write(tmp_path / "corpus.conll", samples.documents())
    (tmp_path / "base").mkdir()
    before = sorted(tmp_path.iterdir())
    result = command("fit", corpus, "--output", "model", "--base-model", str(tmp_path / "base"))
    assert result.exit_code == 1
    assert "base" in result.stderr.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_sets_that_are_not_given_are_tenths_of_the_training_file() -> None:
    documents = samples.documents()
    subsets = make_sets(documents, validation=None, test=[marked("[ramen|Dish]")], labels=samples.LABELS)
    assert [document.id for document in subsets.validation] == [
        document.id for document in documents if subset_of(document.id) == "validation"
    ]
    assert len(subsets.train) + len(subsets.validation) == len(documents)
    assert [document.id for document in subsets.test] == ["test/1"]


def test_training_file_without_entities_is_refused() -> None:
    with pytest.raises(NotEnoughLabels, match="no entity"):
        make_sets([marked("ramen")], validation=[], test=[], labels=())
