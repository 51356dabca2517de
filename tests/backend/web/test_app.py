from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.errors import LabelStudioUnreachable, ModelError
from backend.loop import Loop
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store
from backend.web.app import create_app
from tests.backend.fakes import LABEL_CONFIG, UID, FakeQueue

USER, PASSWORD = "léad", "p:äss wörd"


def basic(user: str, password: str, *, encoding: str = "utf-8") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode(encoding)).decode()


@pytest.fixture
def guarded(make_settings: Callable[..., Settings], store: Store, registry: Registry) -> FlaskClient:
    """The service behind Basic auth."""
    settings = make_settings(basic_auth_user=USER, basic_auth_pass=PASSWORD)
    return create_app(settings, Loop(settings, store, registry, FakeQueue())).test_client()


# Credentials


def test_every_route_but_health_asks_for_credentials(guarded: FlaskClient) -> None:
    routes = [
        (rule.rule, method)
        for rule in guarded.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert {"/", "/setup", "/predict", "/webhook", "/train", "/job_status", "/versions"} < {path for path, _ in routes}
    for path, method in [*routes, ("/nothing/here", "GET"), ("/predict", "DELETE"), ("/health/", "GET")]:
        answer = guarded.open(path, method=method)
        if path == "/health":
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert "BASIC_AUTH_USER" in answer.get_json()["error"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic " + b64encode(b"no colon").decode(),
        "Basic " + b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + b64encode("léad:p:äss wörd".encode()).decode()[:-4],
        "Bearer " + b64encode("léad:p:äss wörd".encode()).decode(),
        basic(USER, ""),
        basic("", PASSWORD),
        basic("", ""),
        basic(USER, PASSWORD + "x"),
        basic(USER.upper(), PASSWORD),
        "Digest username=léad",
    ],
)
def test_wrong_credentials_are_refused(header: str, guarded: FlaskClient) -> None:
    answer = guarded.get("/versions", headers={"Authorization": header.encode().decode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])  # the second is what older clients send
def test_right_credentials_open_every_route(encoding: str, guarded: FlaskClient) -> None:
    headers = {"Authorization": basic(USER, PASSWORD, encoding=encoding)}
    assert guarded.get("/versions", headers=headers).status_code == 200
    setup = {"project": UID, "schema": LABEL_CONFIG}
    assert guarded.post("/setup", json=setup, headers=headers).status_code == 200


def test_password_is_not_asked_for_unless_configured(client: FlaskClient) -> None:
    assert client.get("/versions").status_code == 200


# Failures


def test_unknown_path_is_explained_as_json(client: FlaskClient) -> None:
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert "not found" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/nothing/<here>", 404, "/nothing/&lt;here&gt; was not found on this service"),
        ("/predict", 405, "GET is not allowed at /predict: use POST."),
        ("/projects/", 404, "/projects/ was not found"),
    ],
)
def test_a_browser_gets_errors_as_a_page_with_a_way_back(
    path: str, status: int, sentence: str, client: FlaskClient
) -> None:
    answer = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert sentence in answer.text
    assert 'href="/">All projects' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("path", "method"), [("/predict", "GET"), ("/health", "POST"), ("/versions", "DELETE")])
def test_wrong_method_is_explained_as_json(path: str, method: str, client: FlaskClient) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert "not allowed" in answer.get_json()["error"]


@pytest.mark.parametrize("testing", [False, True])
def test_crash_is_logged_and_not_shown(
    testing: bool, app: Flask, loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(uid: str | None, **_: object) -> None:
        raise RuntimeError("the s3cret detail")

    app.testing = testing
    monkeypatch.setattr(loop, "versions", crash)
    answer = app.test_client().get("/versions")
    assert answer.status_code == 500
    assert answer.get_json() == {"error": "Internal error: see the service's log."}
    assert "s3cret" not in str(answer.headers)
    assert "the s3cret detail" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"), [(ModelError("The model is damaged."), 500), (LabelStudioUnreachable("No answer."), 502)]
)
def test_foreseen_failure_is_one_sentence_with_its_status(
    error: Exception, status: int, client: FlaskClient, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(uid: str | None, **_: object) -> None:
        raise error

    monkeypatch.setattr(loop, "versions", fail)
    answer = client.get("/versions")
    assert (answer.status, answer.get_json()) == (f"{status} {error}", {"error": str(error)})


@pytest.mark.parametrize(
    ("sentence", "line"),
    [
        ("Zwei\r\nZeilen: für Ähnliches.", "500 Zwei  Zeilen: für Ähnliches."),
        (
            "Settings → Model: use ≥ 2 “marks” – or ‘none’ …",
            "500 Settings -> Model: use >= 2 \"marks\" - or 'none' ...",
        ),
        ("<Labels> 'label' → '人名'", "500 <Labels> 'label' -> '\\u4eba\\u540d'"),
        ("Żółw and Ő, 🍣 for 5\u202f€.", "500 Zólw and O, \\U0001f363 for 5 EUR."),
        ("next\x85line\u2028or\ttab\x00, lone \ud800", "500 next line\\u2028or tab , lone \\ud800"),
        ("x" * 5000, "500 " + "x" * 300),
        ("Set-Cookie:\r\n\r\n<b>x</b>", "500 Set-Cookie:    <b>x</b>"),
    ],
)
def test_status_line_is_short_latin_1_and_one_line(
    sentence: str, line: str, client: FlaskClient, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(uid: str | None, **_: object) -> None:
        raise ModelError(sentence)

    monkeypatch.setattr(loop, "versions", fail)
    answer = client.get("/versions")
    assert answer.status == line
    assert answer.status.isprintable()
    assert answer.status.encode("latin-1")
    assert answer.get_json() == {"error": sentence}


# Weight

HEAVY = """
import sys
from backend.web.app import create_app
from backend.settings import load_settings
create_app(load_settings())
print(*sorted({"torch", "transformers", "label_studio_sdk", "datasets", "accelerate"} & set(sys.modules)))
"""

BEFORE_THE_FORK = """
import sys
import backend.__main__, backend.web.server
print(*sorted({"onnxruntime", "torch", "label_studio_sdk"} & set(sys.modules)))
"""


@pytest.mark.parametrize("script", [HEAVY, BEFORE_THE_FORK])
def test_web_process_does_without_the_heavy_libraries(
    script: str, settings: Settings, child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", script],
        env=child_environment(settings), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert child.stdout.strip() == ""
