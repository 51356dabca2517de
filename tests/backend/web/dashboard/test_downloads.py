from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.loop import Loop
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Version
from backend.web.dashboard import downloads
from converters import ConversionReport, Problem
from tests.backend.fakes import LABEL_CONFIG, UID
from tests.backend.web.dashboard.conftest import PAGE, Lead

Calls = list[tuple[list[str], dict[str, str]]]


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The export command does without Label Studio; the list has its arguments and environment."""
    calls: Calls = []

    def run(command: list[str], *, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        calls.append((command[3:], env))
        target = Path(command[-1])
        target.write_text("sushi -X- _ B-Dish\n")
        if command[command.index("--format") + 1] == "conll":
            Path(f"{target}.jsonl").write_text("{}\n")
        report = ConversionReport(tasks=12, documents=10, spans=31, skipped=2)
        report.note(Problem.UNKNOWN_LABEL, "5", "'<b>Wine</b>' is not in the labelling configuration")
        Path(command[command.index("--report") + 1]).write_text(json.dumps(report.to_dict()))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(downloads.subprocess, "run", run)
    return calls


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("conll", {"labels.conll", "labels.conll.jsonl", "report.json"}),
        ("bio", {"labels.bio", "report.json"}),
        ("json", {"labels.json", "report.json"}),
    ],
)
def test_labels_come_with_the_report(form: str, names: set[str], lead: Lead, met: str, exports: Calls) -> None:
    answer = lead.post(f"export/{form}")
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="restaurants-{form}.zip"'
    files = unzipped(answer.data)
    assert set(files) == names
    assert json.loads(files["report.json"])["documents"] == 10
    arguments, _ = exports[0]
    assert arguments[:5] == ["export", "--project", "7", "--format", form]
    assert not Path(arguments[-1]).parent.exists()


def test_report_is_a_page_that_links_to_the_tasks(lead: Lead, met: str, exports: Calls) -> None:
    answer = lead.post("report")
    assert "10 documents with 31 regions come out of" in answer.text
    assert 'href="http://localhost:8080/projects/7/data?task=5"' in answer.text
    assert "unknown label" in answer.text
    assert "<b>Wine" not in answer.text


def test_projects_token_is_used_where_none_is_configured(lead: Lead, store: Store, exports: Calls) -> None:
    store.projects.remember(UID, title="», «", label_config=LABEL_CONFIG, access_token="theirs")
    answer = lead.post("export/conll")
    assert 'filename="project-7-conll.zip"' in answer.headers["Content-Disposition"]
    assert exports[0][1]["LABEL_STUDIO_API_KEY"] == "theirs"


def test_one_export_at_a_time(lead: Lead, met: str, exports: Calls) -> None:
    assert downloads._one_at_a_time.acquire(blocking=False)
    try:
        assert "Another export is being made" in lead.press("export/conll")
    finally:
        downloads._one_at_a_time.release()
    assert lead.post("export/conll").mimetype == "application/zip"


def test_label_studio_out_of_reach_is_said_in_its_sentence(
    lead: Lead, met: str, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings(label_studio_url="http://127.0.0.1:9", label_studio_api_key="0" * 40)
    assert "Label Studio at http://127.0.0.1:9 does not answer" in lead.press("export/conll")


def test_an_export_without_an_end_is_given_up(lead: Lead, met: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(downloads.subprocess, "run", run)
    assert "was not done after 11 minutes" in lead.press("export/bio")


def test_a_crash_of_the_export_is_logged(
    lead: Lead, met: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1, b"", b"Traceback: the detail")

    monkeypatch.setattr(downloads.subprocess, "run", run)
    assert lead.press("export/bio") == "The export failed: the service's log says why."
    assert "the detail" in caplog.text


def test_unknown_format_is_refused(lead: Lead, met: str, exports: Calls) -> None:
    assert lead.post("export/exe").status_code == 404
    assert exports == []


def test_a_versions_folder_is_streamed_with_its_length(
    lead: Lead, publish: Callable[..., Version], tmp_path: Path
) -> None:
    files = tmp_path / "files"
    (files / "onnx").mkdir(parents=True)
    (files / "config.json").write_text("{}")
    (files / "onnx" / "model.onnx").write_bytes(b"x" * 300_000)
    publish(files=files)
    answer = lead.get(f"{PAGE}versions/ner-v1.zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="restaurants-ner-v1.zip"'
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    found = {name: len(content) for name, content in unzipped(answer.data).items() if not name.endswith("/")}
    assert found == {"ner-v1/config.json": 2, "ner-v1/onnx/model.onnx": 300_000}


def test_a_version_without_files_has_nothing_to_download(
    lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    loop.delete_version(UID, "ner-v1")
    assert "were removed to save space" in lead.get(f"{PAGE}versions/ner-v1.zip").text
    loop.registry.folder(UID, "ner-v2").rmdir()
    assert lead.get(f"{PAGE}versions/ner-v2.zip").status_code == 500
    assert lead.get(f"{PAGE}versions/..%2F..zip").status_code == 404
