"""The real web server: gunicorn, two processes, started as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.settings import Settings
from backend.store.models import Version
from tests.backend.fakes import LABEL_CONFIG, UID

Publish = Callable[..., Version]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return make_settings(host="127.0.0.1", port=port, workers=2, threads=2)


@pytest.fixture
def server(
    settings: Settings, child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve"],
            env=child_environment(settings), cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_until_up(settings, process)
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_until_up(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while len(children(process)) < settings.workers or not _up(settings):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def _up(settings: Settings) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{settings.port}/health").is_success
    except httpx.TransportError:
        return False


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def answering_version(settings: Settings) -> str:
    """The version a request to `/predict` is answered by, over a connection of its own."""
    body = {"project": UID, "label_config": LABEL_CONFIG, "tasks": [{"id": 1, "data": {"text": "the best sushi"}}]}
    answer = httpx.post(f"http://127.0.0.1:{settings.port}/predict", json=body, timeout=30)
    version: str = answer.raise_for_status().json()["results"][0]["model_version"]
    return version


def each_process_answers(process: subprocess.Popen[bytes], settings: Settings) -> list[str]:
    """What each web process answers while the other one is paused."""
    answers = []
    for pid in children(process):
        with paused(pid):
            answers.append(answering_version(settings))
    return answers


def test_every_process_answers_from_a_promoted_version_at_once(
    server: subprocess.Popen[bytes], settings: Settings, loop: Loop, publish: Publish, version_folder: Path
) -> None:
    assert each_process_answers(server, settings) == [UNTRAINED, UNTRAINED]
    publish("ner-v1", files=version_folder)
    assert each_process_answers(server, settings) == ["ner-v1", "ner-v1"]
    publish("ner-v2", files=version_folder)
    assert each_process_answers(server, settings) == ["ner-v2", "ner-v2"]
    loop.promote(UID, "ner-v1", actor="dashboard")
    assert each_process_answers(server, settings) == ["ner-v1", "ner-v1"]

    began = time.monotonic()
    for _ in range(10):
        assert _up(settings)
    assert time.monotonic() - began < 5  # Label Studio gives each of them one second


def test_annotators_are_answered_during_a_large_request(
    server: subprocess.Popen[bytes], settings: Settings, publish: Publish, version_folder: Path
) -> None:
    publish("ner-v1", files=version_folder)
    assert each_process_answers(server, settings) == ["ner-v1", "ner-v1"]
    tasks = [{"id": number, "data": {"text": f"the best sushi for table {number}"}} for number in range(4000)]
    body = {"project": UID, "label_config": LABEL_CONFIG, "tasks": tasks}
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(httpx.post, f"http://127.0.0.1:{settings.port}/predict", json=body, timeout=100)
        answered = 0
        while not large.done():
            assert answering_version(settings) == "ner-v1"
            answered += 1
        results = large.result().raise_for_status().json()["results"]
    assert answered > 5
    assert len(results) == 4000
    assert all("sushi" in {region["value"]["text"] for region in result["result"]} for result in results)


def test_status_line_on_the_wire_carries_the_sentence(server: subprocess.Popen[bytes], settings: Settings) -> None:
    connection = HTTPConnection("127.0.0.1", settings.port)  # reads the line as Latin-1, as Label Studio's library does
    connection.request("POST", "/setup", json.dumps({"project": "../für 人 →", "schema": LABEL_CONFIG}))
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.reason.startswith("'../für \\u4eba ->' is not a project name")
    assert json.load(answer)["error"].startswith("'../für 人 →' is not a project name")
    connection.close()


def test_sigterm_ends_every_process_soon(server: subprocess.Popen[bytes]) -> None:
    workers = children(server)
    assert len(workers) == 2
    server.terminate()
    assert server.wait(8) == 0  # containers are killed after ten seconds
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_unusable_database_ends_the_server_with_one_sentence(
    make_settings: Callable[..., Settings],
    child_environment: Callable[[Settings], dict[str, str]],
    tmp_path: Path,
) -> None:
    settings = make_settings(database_url=f"sqlite:///{tmp_path}", port=0, host="127.0.0.1")
    ended = subprocess.run(
        [sys.executable, "-m", "backend", "serve"],
        env=child_environment(settings), cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: DATABASE_URL is not usable (")
    assert len(ended.stderr.splitlines()) == 1
