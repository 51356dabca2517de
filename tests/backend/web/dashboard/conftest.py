"""A stand-in for a browser: it asks for HTML, and posts with the CSRF token of the page before."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.store import Store
from tests.backend.fakes import LABEL_CONFIG, UID

PAGE = f"/projects/{UID}/"


class Lead:
    """A project lead in front of a browser."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str = PAGE) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, buffered=True)

    def read(self, path: str = PAGE) -> str:
        """The text of a page that opens, without tags, whitespace collapsed."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return plain(answer.text)

    @property
    def token(self) -> str:
        field = re.search(r'name="csrf_token" value="([^"]+)"', self.get().text)
        assert field
        return field[1]

    def post(self, path: str, **fields: Any) -> TestResponse:
        return self.client.post(PAGE + path, data={"csrf_token": self.token, **fields}, buffered=True)

    def press(self, path: str, **fields: Any) -> str:
        """The message on the page after a button was pressed."""
        answer = self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        assert answer.location.partition("#")[0] == PAGE
        flashed = re.search(r'<p class="flash (?:done|failed)"[^>]*>(.*?)</p>', self.get().text, re.DOTALL)
        assert flashed
        return plain(flashed[1])


def plain(markup: str) -> str:
    body = re.sub(r"<(head|noscript)\b.*?</\1>", " ", markup, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", body)
    for entity, character in (("&#39;", "'"), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return " ".join(text.split())


@pytest.fixture
def lead(client: FlaskClient) -> Lead:
    return Lead(client)


@pytest.fixture
def registered(store: Store) -> str:
    """The uid of a registered project with a supported labelling configuration."""
    return store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG).uid
