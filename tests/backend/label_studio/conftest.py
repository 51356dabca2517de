"""What the tests of this folder share: Label Studio's side of the HTTP calls, and small imports without waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backend.label_studio import importer, sync
from backend.label_studio.api import ProjectSetup
from backend.label_studio.client import LabelStudio
from tests.backend.label_studio.local_server import serving


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "BATCH", 4)
    monkeypatch.setattr(importer, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(importer, "RECOVERY_SECONDS", 0.05)


class Server:
    """Answers as Label Studio does; ``requests`` are the method, path and content of each request.

    ``tasks`` are the model versions of each task's predictions, ``annotations`` the annotations of each task. An import
    of tasks loses all annotations where ``loses_annotations``, but for the first where ``keeps_first``.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.tasks: dict[int, str] = {}
        self.annotations: dict[int, list[dict[str, Any]]] = {}
        self.status = 201
        self.cuts_off = False
        self.limit = 1000
        self.loses_annotations = False
        self.keeps_first = False
        self.loses_tasks = False
        self.returns_ids = True
        self.url = ""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.requests.append((method, url.path, body or query))
        match method, url.path.strip("/").split("/"):
            case "POST", ["api", "projects", _, "import"]:
                return self.status, self._import_tasks(body, query)
            case "POST", ["api", "tasks", task, "annotations"]:
                return self.status, self._annotate(int(task), body)
            case "POST", _:
                return self.status, {"created": len(body or [])}
            case _, ["api", "predictions"]:
                return 200, [{"id": 1, "model_version": name} for name in self.tasks[int(query["task"])].split(",")]
        selected = self._selected(json.loads(query["query"]))
        page = selected[: min(int(query["page_size"]), self.limit)]
        tasks = [self._task(number) for number in page]
        return 200, {"tasks": tasks, "total": len(selected), "total_annotations": 0, "total_predictions": 0}

    def _import_tasks(self, rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        if self.loses_tasks:
            return {"task_count": 0, "annotation_count": 0}
        stored = 0
        for row in rows:
            number = len(self.tasks) + 1
            self.tasks[number], self.annotations[number] = "", []
            for annotation in row.get("annotations", []):
                if not self.loses_annotations or (self.keeps_first and not stored):
                    stored += 1
                    self._annotate(number, annotation)
        answer: dict[str, Any] = {"task_count": len(rows), "annotation_count": stored}
        if self.returns_ids and query.get("return_task_ids") == "true":
            answer["task_ids"] = list(self.tasks)[-len(rows) :]
        return answer

    def _annotate(self, task: int, annotation: dict[str, Any]) -> dict[str, Any]:
        number = sum(map(len, self.annotations.values())) + 1
        self.annotations[task].append({**annotation, "id": number})
        return {"id": number}

    def _task(self, number: int) -> dict[str, Any]:
        ids = ",".join(str(annotation["id"]) for annotation in self.annotations.get(number, []))
        versions = self.tasks[number][:500]
        return {
            "id": number,
            "data": {"text": "a"},
            "predictions_model_versions": versions,
            "annotations_ids": ids,
            "predictions": [
                {"id": 100 * number + index, "model_version": name, "result": []}
                for index, name in enumerate(self.tasks[number].split(","))
            ],
        }

    def _selected(self, query: Any) -> list[int]:
        assert query["ordering"] == ["tasks:id"]
        values = {(item["filter"], item["operator"]): item["value"] for item in query["filters"]["items"]}
        low = values["filter:tasks:id", "greater"]
        high = values.get(("filter:tasks:id", "less"), 10**9)
        numbers = [number for number in sorted(self.tasks) if low < number < high]
        if part := values.get(("filter:tasks:predictions_model_versions", "contains")):
            return [number for number in numbers if part[0] in self.tasks[number]]
        if ("filter:tasks:cancelled_annotations", "greater") in values:
            return []
        if ("filter:tasks:total_annotations", "greater") in values:
            return [number for number in numbers if self.annotations.get(number)]
        return numbers


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

        do_POST = do_DELETE = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as server.url:
        yield server


@pytest.fixture
def label_studio(server: Server) -> Iterator[ProjectSetup]:
    """The real client, which calls the ``server``."""
    client = LabelStudio(server.url, "0" * 40)
    yield client
    client.close()
