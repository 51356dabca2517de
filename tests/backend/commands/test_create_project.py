from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.errors import LabelStudioUnreachable
from backend.label_studio import new_project as module
from backend.label_studio.api import RemoteProject
from converters.document import Document
from converters.label_studio import iter_documents
from converters.report import ConversionReport
from label_config import LabelConfig
from tests import samples
from tests.backend.commands.conftest import Command
from tests.backend.fakes import FakeLabelStudio, remote_project
from tests.samples import marked, write_corpus

CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<View><Labels name="food" toName="text"><Label value="Dish"/><Label value="Place"/></Labels>
<Text name="text" value="$query"/></View>"""


class Projects(FakeLabelStudio):
    """A Label Studio in which projects are created; ``failing`` is the number of the import that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.created: dict[str, str] = {}
        self.tasks: list[Mapping[str, Any]] = []
        self.batches = 0
        self.failing = 0

    def find_project(self, title: str) -> RemoteProject | None:
        return remote_project(uid="7.1", title=title) if title in self.created else None

    def create_project(self, title: str, label_config: str) -> RemoteProject:
        self._answer()
        self.created[title] = label_config
        return remote_project(uid="7.1", title=title, label_config=label_config)

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        self.batches += 1
        if self.batches == self.failing:
            raise LabelStudioUnreachable("Label Studio does not answer.")
        self.tasks += tasks
        return list(range(len(tasks)))


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Projects:
    studio = Projects()
    monkeypatch.setattr("backend.label_studio.client.open_label_studio", lambda settings: studio)
    monkeypatch.setattr(module, "_BATCH", 25)
    return studio


def create(command: Command, source: str, *options: str) -> Any:
    return command("create-project", "--from", source, "--title", "Food", *options)


def test_corpus_becomes_a_project(command: Command, studio: Projects, tmp_path: Path) -> None:
    result = create(command, write_corpus(tmp_path / "corpus.conll", samples.documents()))
    assert result.exit_code == 0, result.output
    assert "Project 7 “Food” has 60 tasks with annotations, " in result.stdout
    assert "; its labels: Cuisine, Dish, Location.\n" in result.stdout
    assert "python -m backend connect --project 7" in result.stdout
    assert studio.batches == 3
    config = LabelConfig.from_xml(studio.created["Food"])
    numbered = [{**task, "id": number} for number, task in enumerate(studio.tasks, start=1)]
    assert list(iter_documents(numbered, config, ConversionReport())) == samples.documents()


def test_predictions_are_not_annotations(command: Command, studio: Projects, tmp_path: Path) -> None:
    result = create(command, write_corpus(tmp_path / "corpus.conll", samples.documents(9)), "--as", "predictions")
    assert "has 9 tasks with predictions" in result.stdout
    assert all(
        "annotations" not in task and task["predictions"][0]["model_version"] == "conll" for task in studio.tasks
    )


def test_export_becomes_a_project(command: Command, studio: Projects, tmp_path: Path) -> None:
    region = {"from_name": "label", "to_name": "text", "type": "labels",
              "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}  # fmt: skip
    task = {"id": 3, "data": {"text": "best sushi"}, "annotations": [{"id": 1, "result": [region]}]}
    (tmp_path / "export.json").write_text(json.dumps([task]))
    assert "1 task with annotations, 1 region; its labels: Dish." in create(command, "export.json").stdout


@pytest.mark.parametrize(("kind", "texts"), [("annotations", 1), ("predictions", 2)])
def test_configuration_decides_on_labels_and_fields(
    kind: str, texts: int, command: Command, studio: Projects, tmp_path: Path
) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    corpus = write_corpus(
        tmp_path / "corpus.conll", [marked("[ramen|Dish]"), marked("[Ana|Person] ate [pie|Dish]", id="2")]
    )
    result = create(command, corpus, "--config", "config.xml", "--as", kind)
    assert result.exit_code == 0, result.output
    assert studio.created["Food"].lstrip().startswith("<View>")
    assert [task["data"] for task in studio.tasks] == [{"query": "ramen"}, {"query": "Ana ate pie"}][:texts]
    assert "1× label not in the configuration; the first one in text 2: 'Person' is not in the" in result.stderr
    assert ("1 text left out, with a region that cannot be written." in result.stderr) == (kind == "annotations")


def test_title_that_exists_is_refused(command: Command, studio: Projects, tmp_path: Path) -> None:
    studio.created["Food"] = ""
    result = create(command, write_corpus(tmp_path / "corpus.conll", samples.documents(9)))
    assert (result.exit_code, studio.tasks) == (1, [])
    assert "Project 7 in Label Studio has the title “Food” already: choose another --title" in result.stderr


def test_import_that_stops_says_what_is_there(command: Command, studio: Projects, tmp_path: Path) -> None:
    studio.failing = 2
    result = create(command, write_corpus(tmp_path / "corpus.conll", samples.documents()))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: Label Studio does not answer. The import stopped after 25 of 60 tasks: delete project 7 in Label "
        "Studio, then start again."
    )


@pytest.mark.parametrize(
    ("documents", "options", "says"),
    [
        ([marked("ramen")], [], "has no entity, so it has no labels: give a labelling configuration: --config."),
        ([marked("[Ana|Person]")], ["--config", "config.xml"], "no text can be imported; the lines above say why."),
    ],
)
def test_nothing_is_created_where_nothing_can_be_imported(
    documents: list[Document], options: list[str], says: str, command: Command, studio: Projects, tmp_path: Path
) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    result = create(command, write_corpus(tmp_path / "corpus.conll", documents), *options)
    assert (result.exit_code, studio.created) == (1, {})
    assert says in result.stderr


def test_configuration_that_cannot_be_used_is_named(command: Command, studio: Projects, tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text("<View/>")
    result = create(command, write_corpus(tmp_path / "corpus.conll", samples.documents(9)), "--config", "config.xml")
    assert (result.exit_code, studio.created) == (1, {})
    assert result.stderr.splitlines()[-1].startswith("Error: config.xml: ")
