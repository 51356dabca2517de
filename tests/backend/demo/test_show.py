from __future__ import annotations

from pathlib import Path

import pytest

from backend.demo.show import Places, _instructions, _settings
from backend.store.models import Version
from tests.backend.fakes import UID, remote_project

PLACES = Places(Path("/demo"), label_studio_port=8080, port=9090)
VERSION = Version(name="ner-v1", metrics={"f1": 0.9, "documents": 40, "support": 50})


def test_dashboard_is_among_the_things_to_try() -> None:
    page = f"http://localhost:9090/projects/{UID}/"
    text = _instructions(PLACES, remote_project(), VERSION, page)
    numbered = [line.strip() for line in text.splitlines() if line.strip()[:2] in ("1.", "2.", "3.", "4.", "5.")]
    assert [line[:2] for line in numbered] == ["1.", "2.", "3.", "4."]
    assert any(line.startswith(f"2. Open {page}") for line in numbered)
    assert "Four things to try:" in text


def test_links_lead_to_the_demonstration_s_own_web_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://ner.example.com")
    assert _settings(PLACES, "0" * 40).project_url(UID) == f"http://localhost:9090/projects/{UID}/"
