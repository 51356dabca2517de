from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.backend.commands.conftest import Command

RELEASE = httpx.Response(200, json={"release": "1.23.2"})
NO_TOKEN = "LABEL_STUDIO_API_KEY is not set: set it to an access token of Label Studio"
OPEN = "everybody who can reach port {port} can use this service: set BASIC_AUTH_USER and BASIC_AUTH_PASS"


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.web.server.serve", lambda settings: None)
    monkeypatch.setattr("backend.worker.work", lambda settings: None)
    monkeypatch.setattr("httpx.get", lambda *_, **__: RELEASE)


@pytest.fixture
def port() -> str:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("name", ["serve", "work"])
def test_variables_of_label_studio_ml_are_named_at_the_start(
    name: str, command: Command, port: str, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {"LABEL_STUDIO_URL": "", "LABEL_STUDIO_HOST": "http://ls:8080", "LABEL_STUDIO_ACCESS_TOKEN": "s3cret"}
    assert command(name, **variables, PORT=port).exit_code == 0
    assert messages(caplog)[:2] == [
        "LABEL_STUDIO_HOST is set, but this service reads LABEL_STUDIO_URL, which is not set",
        "LABEL_STUDIO_ACCESS_TOKEN is set, but this service reads LABEL_STUDIO_API_KEY, which is not set",
    ]


@pytest.mark.parametrize(
    ("name", "host", "sentence"),
    [
        ("serve", "0.0.0.0", "the dashboard is at http://localhost:{port}/"),
        ("serve", "127.0.0.1", "the dashboard is at http://localhost:{port}/"),
        ("work", "127.0.0.1", "the dashboard is at http://localhost:{port}/ while `serve` runs"),
        ("work", "10.0.0.5", "the dashboard is at http://10.0.0.5:{port}/ while `serve` runs"),
    ],
)
def test_address_of_the_dashboard_is_named_at_the_start(
    name: str, host: str, sentence: str, command: Command, port: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert command(name, PORT=port, HOST=host, LOG_LEVEL="INFO").exit_code == 0
    assert sentence.format(port=port) in messages(caplog)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (RELEASE, "Label Studio 1.23.2 answers at http://localhost:8080"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "does not answer ([Errno 111] Connection refused)"),
        (
            httpx.Response(404, json={"error": "not found"}),
            "What answers at http://localhost:8080 is not Label Studio (status 404 ",
        ),
        (httpx.Response(200, text="<html>"), "What answers at http://localhost:8080 is not Label Studio (status 200 "),
        (
            httpx.Response(200, json=["release"]),
            "What answers at http://localhost:8080 is not Label Studio (status 200 ",
        ),
    ],
)
@pytest.mark.parametrize("name", ["serve", "work"])
def test_start_says_whether_label_studio_answers(
    name: str,
    answer: httpx.Response | Exception,
    sentence: str,
    command: Command,
    port: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get(*_: Any, **__: Any) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("httpx.get", get)
    caplog.set_level("INFO")
    assert command(name, PORT=port, LOG_LEVEL="INFO").exit_code == 0
    assert any(sentence in message for message in messages(caplog))


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        ({}, [NO_TOKEN, OPEN]),
        ({"LABEL_STUDIO_API_KEY": "s3cret"}, [OPEN]),
        ({"LABEL_STUDIO_API_KEY": "s3cret", "HOST": "127.0.0.1"}, []),
        ({"LABEL_STUDIO_API_KEY": "s3cret", "BASIC_AUTH_USER": "u", "BASIC_AUTH_PASS": "p"}, []),
    ],
)
def test_serve_warns_of_what_is_missing(
    variables: dict[str, str], sentences: list[str], command: Command, port: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert command("serve", PORT=port, **variables).exit_code == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == len(sentences)
    for warning, sentence in zip(warnings, sentences, strict=True):
        assert warning.startswith(sentence.format(port=port))


def test_taken_port_is_one_sentence(command: Command) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = command("serve", PORT=str(port), HOST="127.0.0.1")
    assert (result.exit_code, result.output) == (
        1,
        f"Error: Port {port} is taken by another process on this machine: end that process, or set PORT to another "
        "number.\n",
    )


@pytest.mark.parametrize("host", ["203.0.113.9", "no-such-host.invalid"])
def test_address_that_is_not_of_this_machine_is_one_sentence(host: str, command: Command, port: str) -> None:
    result = command("serve", PORT=port, HOST=host)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: The web server cannot listen at HOST={host} (")
    assert "set HOST to an address of this machine" in result.output


@pytest.mark.parametrize("name", ["serve", "work"])
def test_unusable_database_is_named_before_anything_else(
    name: str, command: Command, port: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = command(name, PORT=port, DATABASE_URL="nonsense")
    assert result.exit_code == 1
    assert result.output.startswith("Error: DATABASE_URL is not usable (")
    assert messages(caplog) == []
