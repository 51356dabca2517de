"""The data set is read by ``datasets``, by the usual notebook, and by ``evaluate``."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import evaluate
import pytest
from datasets import ClassLabel, DatasetDict, Features, List, Value, load_dataset, load_from_disk
from seqeval.metrics import f1_score
from transformers import AutoTokenizer

from backend.errors import Conflict
from backend.evaluation.evaluate import evaluate as evaluate_tagger
from backend.inference.tagger import Tagger
from backend.training.dataset_dict import write_dataset
from backend.training.split import subset_of
from converters.document import Document
from converters.rows import Row, document_rows
from converters.tagged import tag_document
from tests.samples import LABELS, documents, marked

TAGS = ["O", "B-Dish", "I-Dish", "B-Cuisine", "I-Cuisine", "B-Location", "I-Location"]


def rows(texts: Sequence[Document]) -> Iterator[Row]:
    for document in texts:
        yield from document_rows(document)[0]


def write(folder: Path, texts: Sequence[Document], labels: Sequence[str] = LABELS) -> Path:
    write_dataset(rows(texts), folder, labels=labels, title="Restaurants")
    return folder


def contents(sets: DatasetDict) -> dict[str, list[Any]]:
    return {name: list(rows_of_set) for name, rows_of_set in sets.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "restaurants", documents())


def test_features_are_those_of_conll2003(folder: Path) -> None:
    sets = load_from_disk(folder)
    assert list(sets) == ["train", "validation", "test"]
    for rows_of_set in sets.values():
        assert rows_of_set.features == Features(
            {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=TAGS))}
        )
    assert sets["train"].features["ner_tags"].feature.names == TAGS


def test_sets_are_those_of_training_and_rows_are_complete(folder: Path) -> None:
    sets = load_from_disk(folder)
    read = {row["id"]: (name, row["tokens"], row["ner_tags"]) for name in sets for row in sets[name]}
    assert read == {
        row.id: (subset_of(row.task), list(row.tokens), [TAGS.index(tag) for tag in row.tags])
        for row in rows(documents())
    }


def test_folder_and_parquet_files_hold_the_same(folder: Path, tmp_path: Path) -> None:
    expected = load_from_disk(folder)
    files = {name: str(folder / "parquet" / f"{name}.parquet") for name in expected}
    for sets in (
        load_dataset("parquet", data_files=files, cache_dir=str(tmp_path)),
        load_dataset(str(folder), cache_dir=str(tmp_path)),
    ):
        assert contents(sets) == contents(expected)
        assert sets["train"].features == expected["train"].features


def test_empty_set_can_be_loaded(tmp_path: Path) -> None:
    only_train = [document for document in documents() if subset_of(document.id) == "train"]
    folder = write(tmp_path / "data", only_train)
    assert {name: len(rows_of_set) > 0 for name, rows_of_set in load_from_disk(folder).items()} == {
        "train": True, "validation": False, "test": False,
    }  # fmt: skip
    assert list(load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))) == ["train"]


def test_rows_in_several_batches_are_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.training.dataset_dict._BATCH", 7)
    assert contents(load_from_disk(write(tmp_path / "data", documents()))) == contents(load_from_disk(folder))


def test_labels_beyond_those_of_the_configuration_follow(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", [marked("[a|Wine] [b|Dish]", id="1"), marked("[c|{{ x }}: ü]", id="2")], ["Dish"])
    names = load_from_disk(folder)["train"].features["ner_tags"].feature.names
    assert names[:3] == ["O", "B-Dish", "I-Dish"]
    assert set(names[3:]) == {"B-Wine", "I-Wine", "B-{{ x }}: ü", "I-{{ x }}: ü"}


def test_earlier_data_set_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "data", documents(30))
    write(tmp_path / "data", documents(20))
    assert sum(len(rows_of_set) for rows_of_set in load_from_disk(tmp_path / "data").values()) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["file", "folder"])
def test_anything_else_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for file in (tmp_path / "file", tmp_path / "folder" / "notes"):
        file.write_text("mine")
    with pytest.raises(Conflict, match="choose another folder"):
        write(tmp_path / name, documents(20))
    assert (tmp_path / "folder" / "notes").read_text() == (tmp_path / "file").read_text() == "mine"


def test_failure_keeps_the_earlier_data_set(tmp_path: Path) -> None:
    write(tmp_path / "data", documents(20))

    def broken() -> Iterator[Row]:
        yield from rows(documents(30))
        raise OSError("no connection")

    with pytest.raises(OSError, match="no connection"):
        write_dataset(broken(), tmp_path / "data", labels=LABELS, title="")
    assert sum(len(rows_of_set) for rows_of_set in load_from_disk(tmp_path / "data").values()) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_full_disk_names_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*data'$"):
            write(tmp_path / "data", documents())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_usual_notebook_runs_on_it(folder: Path, version_folder: Path) -> None:
    """The function is that of transformers' token classification guide."""
    tokenizer: Any = AutoTokenizer.from_pretrained(version_folder)

    def tokenize_and_align_labels(examples: Any) -> Any:
        tokenized_inputs = tokenizer(examples["tokens"], truncation=True, is_split_into_words=True)
        labels = []
        for i, label in enumerate(examples["ner_tags"]):
            word_ids = tokenized_inputs.word_ids(batch_index=i)
            previous_word_idx = None
            label_ids = []
            for word_idx in word_ids:
                if word_idx is None:
                    label_ids.append(-100)
                elif word_idx != previous_word_idx:
                    label_ids.append(label[word_idx])
                else:
                    label_ids.append(-100)
                previous_word_idx = word_idx
            labels.append(label_ids)
        tokenized_inputs["labels"] = labels
        return tokenized_inputs

    sets = load_from_disk(folder)
    tokenized = sets.map(tokenize_and_align_labels, batched=True)
    for name, rows_of_set in tokenized.items():
        assert len(rows_of_set) == len(sets[name])
        for row in rows_of_set:
            assert [tag for tag in row["labels"] if tag != -100] == row["ner_tags"]


class Seqeval(evaluate.Metric):  # type: ignore[misc]
    """The metric that ``evaluate.load("seqeval")`` fetches from the hub."""

    def _info(self) -> evaluate.MetricInfo:
        tags = List(Value("string"))
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=Features({"predictions": tags, "references": tags}),
        )  # fmt: skip

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"overall_f1": float(f1_score(references, predictions))}


def test_served_version_has_the_f1_that_evaluate_computes(version_folder: Path, tmp_path: Path) -> None:
    texts = [*documents(200), *(marked(f"the [Ramen {number}|Cuisine] place", id=f"x{number}") for number in range(40))]
    test = load_from_disk(write(tmp_path / "data", texts))["test"]
    theirs = evaluate.evaluator("token-classification").compute(
        model_or_pipeline=str(version_folder),  # evaluate 0.4.6 takes no pipeline object of transformers 5
        data=test,
        metric=Seqeval(cache_dir=str(tmp_path / "cache")),
    )
    tagged = [tag_document(document) for document in texts if subset_of(document.id) == "test"]
    ours = evaluate_tagger(Tagger.load(version_folder), tagged)
    assert ours is not None
    assert ours.documents == len(test)
    assert theirs["overall_f1"] == pytest.approx(ours.f1, abs=0.03)  # one region at most
    assert 0.3 < ours.f1 < 1.0


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()
