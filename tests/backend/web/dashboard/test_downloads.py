from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backend.errors import BackendError, InvalidRequest, LabelStudioRefused, LabelStudioRejected, UnknownProject
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
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The export command works without Label Studio; the list has its arguments and environment."""
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
        Path(command[command.index("--result") + 1]).write_text(
            '{"documents": 10, "tokens": 84, "entities": 31, "losses": ["1 text is left out"]}'
        )
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(downloads.subprocess, "run", run)
    return calls


class _Refusing(BaseHTTPRequestHandler):
    """A Label Studio that answers every request with the status that its access token names."""

    def do_GET(self) -> None:
        status = int(self.headers["Authorization"].removeprefix("Token ")[:3])
        content = b'{"detail": "no"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    """Address of that Label Studio."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def token(status: int) -> str:
    return f"{status}{'0' * 37}"


def python(script: str) -> tuple[str, ...]:
    """A command in place of the export: the script finds the export's arguments in ``sys.argv``."""
    return (sys.executable, "-c", f"import sys, time, os, signal, json; {script}")


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("conll", {"labels.conll", "labels.conll.jsonl", "report.json"}),
        ("bio", {"labels.bio", "report.json"}),
        ("json", {"labels.json", "report.json"}),
    ],
)
def test_labels_come_with_the_report(form: str, names: set[str], lead: Lead, registered: str, exports: Calls) -> None:
    answer = lead.post(f"export/{form}")
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="restaurants-{form}.zip"'
    files = unzipped(answer.data)
    assert set(files) == names
    assert json.loads(files["report.json"])["documents"] == 10
    arguments, _ = exports[0]
    assert arguments[:5] == ["export", "--project", UID, "--format", form]
    assert not Path(arguments[-1]).parent.exists()


@pytest.mark.parametrize(("form", "said"), [("conll", True), ("bio", True), ("json", False)])
def test_what_a_download_lacks_is_said_on_the_page(
    form: str, said: bool, lead: Lead, registered: str, exports: Calls
) -> None:
    assert lead.post(f"export/{form}").status_code == 200
    sentence = f"The download of labels.{form} lacks what could not be read: 1 text is left out."
    assert (sentence in lead.read()) == said


def test_report_is_a_page_that_links_to_the_tasks(lead: Lead, registered: str, exports: Calls) -> None:
    answer = lead.post("report")
    assert "10 documents with 31 regions were converted from" in answer.text
    assert 'href="http://localhost:8080/projects/7/data?task=5"' in answer.text
    assert "unknown label" in answer.text
    assert "<b>Wine" not in answer.text


def test_projects_token_is_used_where_none_is_configured(lead: Lead, store: Store, exports: Calls) -> None:
    store.projects.save(UID, title="», «", label_config=LABEL_CONFIG, access_token="theirs")
    answer = lead.post("export/conll")
    assert 'filename="project-7-conll.zip"' in answer.headers["Content-Disposition"]
    assert exports[0][1]["LABEL_STUDIO_API_KEY"] == "theirs"


def test_one_export_at_a_time(lead: Lead, registered: str, exports: Calls) -> None:
    assert downloads._one_at_a_time.acquire(blocking=False)
    try:
        assert "Another export is running" in lead.press("export/conll")
    finally:
        downloads._one_at_a_time.release()
    assert lead.post("export/conll").mimetype == "application/zip"


# Errors of the export, which runs in a process of its own


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, LabelStudioRefused, "refuses the access token"),
        (404, LabelStudioRejected, "has no project 7"),
    ],
)
@pytest.mark.slow
def test_error_of_the_export_is_the_one_that_the_command_reported(
    status: int, kind: type[BackendError], sentence: str,
    lead: Lead, registered: str, loop: Loop, make_settings: Callable[..., Settings], refusing: str,
) -> None:  # fmt: skip
    loop.settings = make_settings(label_studio_url=refusing, label_studio_api_key=token(status))
    assert sentence in lead.press("export/conll")
    with pytest.raises(kind, match=sentence):
        downloads._exported(loop, loop.store.projects.get(UID), "bio")


@pytest.mark.slow
def test_label_studio_that_does_not_answer_is_the_error(
    lead: Lead, registered: str, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings(label_studio_url="http://127.0.0.1:9", label_studio_api_key=token(200))
    assert "Label Studio at http://127.0.0.1:9 does not answer" in lead.press("export/conll")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("LabelStudioRefused", LabelStudioRefused),
        ("UnknownProject", UnknownProject),
        ("UnsupportedLabelConfig", InvalidRequest),
        ("OSError", BackendError),
    ],
)
def test_kind_of_the_error_survives_the_process(
    kind: str, error: type[BackendError], registered: str, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {"error": "It does not work: try again.", "kind": kind}
    script = f"open(sys.argv[sys.argv.index('--result') + 1], 'w').write(json.dumps({report})); sys.exit(1)"
    monkeypatch.setattr(downloads, "EXPORT_COMMAND", python(script))
    with pytest.raises(BackendError, match=r"^It does not work: try again\.$") as caught:
        downloads._exported(loop, loop.store.projects.get(UID), "conll")
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("sys.exit('Error: the detail')", 1),
        ("print('the detail', file=sys.stderr); sys.exit(0)", 0),
        ("print('the detail', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)", -9),
    ],
)
def test_export_that_reports_nothing_is_logged(
    script: str,
    code: int,
    lead: Lead,
    registered: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(downloads, "EXPORT_COMMAND", python(script))
    message = lead.press("export/bio")
    assert message == f"The export stopped unexpectedly (exit code {code}): see the service's log."
    assert "the detail" in caplog.text


def test_export_that_takes_too_long_is_stopped(lead: Lead, registered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "EXPORT_COMMAND", python("time.sleep(60)"))
    monkeypatch.setattr(downloads, "EXPORT_SECONDS", 0.2)
    assert lead.press("export/bio").startswith("The export was not done after 0 minutes")


def test_unknown_format_is_refused(lead: Lead, registered: str, exports: Calls) -> None:
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
    sizes = {name: len(content) for name, content in unzipped(answer.data).items() if not name.endswith("/")}
    assert sizes == {"ner-v1/config.json": 2, "ner-v1/onnx/model.onnx": 300_000}


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
