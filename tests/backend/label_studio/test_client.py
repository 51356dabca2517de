from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable
from backend.label_studio import client as module
from backend.label_studio.api import Prediction
from backend.label_studio.client import LabelStudio

PREDICTION = Prediction(task=1, regions=[], score=0.5, version="ner-v1")


class Server:
    """Answers as Label Studio does; ``asked`` holds what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tasks: dict[int, Any] = {}
        self.status = 201
        self.cuts_off = False
        self.limit = 1000
        self.url = ""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.asked.append((method, url.path, body or query))
        if method == "POST":
            return self.status, {"created": len(body or [])}
        if url.path.startswith("/api/predictions"):
            return 200, [{"id": 1, "model_version": name} for name in self.tasks[int(query["task"])].split(",")]
        chosen = self._chosen(json.loads(query["query"]))
        page = chosen[: min(int(query["page_size"]), self.limit)]
        tasks = [self._task(each) for each in page]
        return 200, {"tasks": tasks, "total": len(chosen), "total_annotations": 0, "total_predictions": 0}

    def _task(self, number: int) -> dict[str, Any]:
        return {"id": number, "data": {"text": "a"}, "predictions_model_versions": self.tasks[number][:500]}

    def _chosen(self, query: Any) -> list[int]:
        assert query["ordering"] == ["tasks:id"]
        values = {(each["filter"], each["operator"]): each["value"] for each in query["filters"]["items"]}
        low = values["filter:tasks:id", "greater"]
        high = values.get(("filter:tasks:id", "less"), 10**9)
        return [each for each in sorted(self.tasks) if low < each < high]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = server.answer(self.command, self.path, body)
            if server.cuts_off and self.command == "POST":
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def studio(server: Server) -> Iterator[LabelStudio]:
    studio = LabelStudio(server.url, "0" * 40)
    yield studio
    studio.close()


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_tasks_are_read_by_ascending_id(
    limit: int, server: Server, studio: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    server.limit = limit  # a server may give smaller pages than it is asked for
    server.tasks = dict.fromkeys((30, 4, 5, 17, 9, 21, 8), "")
    pages = list(studio.unlabelled_pages(7))
    assert [task.id for page in pages for task in page.tasks] == [4, 5, 8, 9, 17, 21, 30]
    assert pages[0].left == 7
    assert [task.id for page in studio.unlabelled_pages(7, first=5, last=17) for task in page.tasks] == [5, 8, 9, 17]


def test_task_that_is_labelled_meanwhile_takes_no_other_out(
    server: Server, studio: LabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    server.tasks = dict.fromkeys(range(1, 7), "")
    seen = []
    for page in studio.unlabelled_pages(7):
        seen += [task.id for task in page.tasks]
        server.tasks.pop(1, None)
    assert seen == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("joined", "names"),
    [
        ("", {""}),
        ("ner-v1", {"ner-v1"}),
        ("ner-v10,ner-v1", {"ner-v1", "ner-v10"}),  # SQLite
        ("ner-v2, ner-v1", {"ner-v1", "ner-v2"}),  # PostgreSQL
    ],
)
def test_versions_of_a_tasks_predictions(joined: str, names: set[str], server: Server, studio: LabelStudio) -> None:
    server.tasks = {1: joined}
    assert studio.unlabelled_tasks(7)[0].predicted_by == names


def test_list_of_versions_that_is_cut_off_is_asked_for_whole(server: Server, studio: LabelStudio) -> None:
    names = [f"ner-v{number}" for number in range(100)]
    server.tasks = {1: "", 2: ",".join(names)}
    assert studio.unlabelled_tasks(7)[1].predicted_by == set(names)
    assert [path for _, path, _ in server.asked].count("/api/predictions/") == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, LabelStudioRejected), (413, LabelStudioRejected), (403, LabelStudioRefused), (500, LabelStudioError),
     (503, LabelStudioUnreachable), (504, LabelStudioUnreachable), (429, LabelStudioUnreachable)],
)  # fmt: skip
def test_import_is_sent_once_whatever_is_answered(
    status: int, error: type[LabelStudioError], server: Server, studio: LabelStudio
) -> None:
    server.status = status
    with pytest.raises(LabelStudioError) as raised:
        studio.import_predictions(7, [PREDICTION])
    assert type(raised.value) is error
    assert len(server.asked) == 1


def test_import_whose_connection_is_cut_off_is_sent_once(server: Server, studio: LabelStudio) -> None:
    server.cuts_off = True
    with pytest.raises(LabelStudioUnreachable):
        studio.import_predictions(7, [PREDICTION])
    assert len(server.asked) == 1


def test_import_tells_how_many_were_stored(server: Server, studio: LabelStudio) -> None:
    assert studio.import_predictions(7, [PREDICTION, PREDICTION]) == 2
    [(method, path, rows)] = server.asked
    assert (method, path) == ("POST", "/api/projects/7/import/predictions")
    assert rows[0] == {"task": 1, "result": [], "score": 0.5, "model_version": "ner-v1"}
