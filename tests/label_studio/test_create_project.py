"""A labelled file becomes a project of a real Label Studio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.__main__ import cli
from converters.document import Document
from converters.label_studio import iter_documents
from converters.report import ConversionReport
from label_config import LabelConfig
from tests import samples
from tests.samples import write_corpus
from tests.site import Site

pytestmark = pytest.mark.label_studio

TITLE = "From a file"


def test_file_becomes_a_project_whose_labels_are_those_of_the_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "corpus.conll", samples.documents(30))
    line = ["create-project", "--from", "corpus.conll", "--title", TITLE]
    result = CliRunner().invoke(cli, line, env=site.settings.environment())
    assert result.exit_code == 0, result.output
    project = site.label_studio.find_project(TITLE)
    assert project is not None
    assert f"Project {project.id} “{TITLE}” has 30 tasks with annotations" in result.stdout
    tasks = sorted(site.label_studio.labelled_tasks(project.id), key=lambda task: int(task["meta"]["source_id"]))
    documents = iter_documents(tasks, LabelConfig.from_xml(project.label_config), ConversionReport())
    assert list(map(content, documents)) == list(map(content, samples.documents(30)))
    again = CliRunner().invoke(cli, line, env=site.settings.environment())
    assert (again.exit_code, "already: choose another --title" in again.stderr) == (1, True)


def content(document: Document) -> Document:
    return replace(document, id="", spans=tuple(sorted(document.spans)))
