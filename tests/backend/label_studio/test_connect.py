from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.errors import LabelStudioRefused, ServiceUnreachable
from backend.label_studio.connect import connect
from backend.settings import Settings
from label_config import UnsupportedLabelConfig
from tests.backend.fakes import FakeLabelStudio

URL = "http://backend:9090"


@pytest.fixture
def studio() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.mark.parametrize("url", [URL, URL + "/"])
def test_project_without_credentials_is_connected(url: str, settings: Settings, studio: FakeLabelStudio) -> None:
    made = connect(settings, studio, 7, url)
    assert (made.project.title, made.labels, made.backend_id) == ("Restaurants", ("Dish", "Cuisine", "Location"), 1)
    assert [(backend.url, backend.title) for backend in studio.ml_backends] == [(URL, "NER")]
    assert studio.credentials == {URL: None}
    assert [(hook.url, hook.header) for hook in studio.hooks] == [(f"{URL}/webhook", None)]
    assert studio.prelabelling


def test_label_studio_and_its_webhook_get_the_credentials(
    make_settings: Callable[..., Settings], studio: FakeLabelStudio
) -> None:
    connect(make_settings(basic_auth_user="u", basic_auth_pass="p"), studio, 7, URL)
    assert studio.credentials == {URL: ("u", "p")}
    assert [(hook.url, hook.header) for hook in studio.hooks] == [
        (f"{URL}/webhook", "Basic dTpw")
    ]  # as recorded in tests/traffic


def test_connecting_again_updates_the_connection(
    make_settings: Callable[..., Settings], studio: FakeLabelStudio
) -> None:
    connect(make_settings(), studio, 7, URL)
    secured = make_settings(basic_auth_user="u", basic_auth_pass="p")
    first = connect(secured, studio, 7, URL)
    assert connect(secured, studio, 7, URL) == first
    assert [backend.url for backend in studio.ml_backends] == [URL]
    assert [(hook.url, hook.header) for hook in studio.hooks] == [(f"{URL}/webhook", "Basic dTpw")]


def test_project_that_cannot_be_labelled_is_not_connected(settings: Settings, studio: FakeLabelStudio) -> None:
    studio.label_config = "<View></View>"
    with pytest.raises(UnsupportedLabelConfig):
        connect(settings, studio, 7, URL)
    assert studio.ml_backends == []


@pytest.mark.parametrize("refusing", ["save_webhook", "connect_backend"])
def test_refused_connection_leaves_nothing_in_label_studio(
    refusing: str, settings: Settings, studio: FakeLabelStudio
) -> None:
    studio.refused[refusing] = ServiceUnreachable("Label Studio cannot reach this service")
    with pytest.raises(ServiceUnreachable):
        connect(settings, studio, 7, URL)
    assert (studio.ml_backends, studio.hooks, studio.prelabelling) == ([], [], False)


def test_refused_address_of_a_webhook_is_noticed_before_label_studio_calls_this_service(
    settings: Settings, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.refused["save_webhook"] = LabelStudioRefused("Label Studio does not call local addresses")
    monkeypatch.setattr(studio, "connect_backend", lambda *_, **__: pytest.fail("Label Studio called /setup"))
    with pytest.raises(LabelStudioRefused):
        connect(settings, studio, 7, URL)


def test_refused_update_keeps_the_webhook_of_the_existing_connection(
    settings: Settings, studio: FakeLabelStudio
) -> None:
    connect(settings, studio, 7, URL)
    studio.refused["connect_backend"] = ServiceUnreachable("Label Studio cannot reach this service")
    with pytest.raises(ServiceUnreachable):
        connect(settings, studio, 7, URL)
    assert [hook.url for hook in studio.hooks] == [f"{URL}/webhook"]


@pytest.mark.parametrize("by_uncertainty", [True, False])
def test_tasks_come_by_uncertainty_unless_their_order_is_kept(
    by_uncertainty: bool, settings: Settings, studio: FakeLabelStudio
) -> None:
    connect(settings, studio, 7, URL, by_uncertainty=by_uncertainty)
    assert studio.by_uncertainty is by_uncertainty


@pytest.mark.parametrize("version", ["1.12.0", "1.23.2", "2.0.0.dev1", "develop", ""])
def test_credentials_are_sent_by_label_studio_from_1_12_on(
    version: str, make_settings: Callable[..., Settings], studio: FakeLabelStudio
) -> None:
    studio.version = version
    connect(make_settings(basic_auth_user="u", basic_auth_pass="p"), studio, 7, URL)
    assert studio.credentials == {URL: ("u", "p")}


def test_other_ml_backends_are_reported_and_left_alone(settings: Settings, studio: FakeLabelStudio) -> None:
    studio.connect_backend(7, "http://other:9090", title="Other", auth=None)
    others = connect(settings, studio, 7, URL).others
    assert [(other.id, other.title, other.url) for other in others] == [(1, "Other", "http://other:9090")]
    assert len(studio.ml_backends) == 2
