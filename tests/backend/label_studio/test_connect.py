from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.errors import LabelStudioError
from backend.label_studio.api import RemoteProject
from backend.label_studio.connect import connect
from backend.settings import Settings
from label_config import UnsupportedLabelConfig
from tests.backend.fakes import LABEL_CONFIG, remote_project

URL = "http://backend:9090"


@dataclass
class Studio:
    """Label Studio's side of a connection: ML backends and webhooks by address."""

    label_config: str = LABEL_CONFIG
    makes_webhooks: bool = True
    backends: dict[str, dict[str, Any]] = field(default_factory=dict)
    webhooks: dict[str, str | None] = field(default_factory=dict)
    prelabels: bool = False

    def project(self, project_id: int) -> RemoteProject:
        return remote_project(label_config=self.label_config)

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        self.backends[url] = {"title": title, "auth": auth}
        if self.makes_webhooks:
            self.webhooks.setdefault(f"{url}/webhook", None)
        return len(self.backends)

    def authorise_webhook(self, project_id: int, url: str, header: str | None) -> None:
        if url not in self.webhooks:
            raise LabelStudioError(f"Label Studio created no webhook to {url}")
        self.webhooks[url] = header

    def switch_prelabelling_on(self, project_id: int) -> None:
        self.prelabels = True


@pytest.mark.parametrize("url", [URL, URL + "/"])
def test_project_without_credentials_is_connected(url: str, settings: Settings) -> None:
    studio = Studio()
    made = connect(settings, studio, 7, url)
    assert (made.project.title, made.labels, made.backend_id) == ("Restaurants", ("Dish", "Cuisine", "Location"), 1)
    assert studio.backends == {URL: {"title": "NER", "auth": None}}
    assert studio.webhooks == {f"{URL}/webhook": None}
    assert studio.prelabels


def test_label_studio_and_its_webhook_get_the_credentials(make_settings: Callable[..., Settings]) -> None:
    studio = Studio()
    settings = make_settings(basic_auth_user="u", basic_auth_pass="p")
    connect(settings, studio, 7, URL)
    assert studio.backends[URL]["auth"] == ("u", "p")
    assert studio.webhooks == {f"{URL}/webhook": "Basic dTpw"}  # as recorded in tests/traffic


def test_connecting_again_brings_the_connection_up_to_date(make_settings: Callable[..., Settings]) -> None:
    studio = Studio()
    connect(make_settings(), studio, 7, URL)
    secured = make_settings(basic_auth_user="u", basic_auth_pass="p")
    first = connect(secured, studio, 7, URL)
    assert connect(secured, studio, 7, URL) == first
    assert list(studio.backends) == [URL]
    assert studio.webhooks == {f"{URL}/webhook": "Basic dTpw"}


def test_project_that_cannot_be_labelled_is_not_connected(settings: Settings) -> None:
    studio = Studio(label_config="<View></View>")
    with pytest.raises(UnsupportedLabelConfig):
        connect(settings, studio, 7, URL)
    assert studio.backends == {}


def test_missing_webhook_is_an_error(settings: Settings) -> None:
    with pytest.raises(LabelStudioError, match="no webhook"):
        connect(settings, Studio(makes_webhooks=False), 7, URL)
