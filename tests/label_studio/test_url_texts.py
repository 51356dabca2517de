"""Texts that are files of a real Label Studio (``<Text valueType="url">``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.errors import TextUnavailable
from backend.label_studio import client, texts
from backend.label_studio.api import RemoteProject
from backend.label_studio.client import open_label_studio
from backend.label_studio.connect import connect
from backend.label_studio.files import files_of
from backend.label_studio.texts import TextLoader, open_text_loader
from backend.settings import Settings, load_settings
from tests.site import CONFIG, TOKEN, Site

pytestmark = pytest.mark.label_studio

TEXT = "Ána → 人 🍣\r\nWho makes the best sushi for kids?"


@pytest.fixture
def project(site: Site) -> RemoteProject:
    """A project whose only task is an uploaded file that begins with a byte order mark."""
    config = CONFIG.replace("<Text ", '<Text valueType="url" ')
    project = site.label_studio.create_project("Files", config)
    file = {"file": ("bericht 人.txt", b"\xef\xbb\xbf" + TEXT.encode(), "text/plain")}
    uploaded = site.api("POST", f"/api/projects/{project.id}/import?commit_to_project=false", files=file)
    request = {"file_upload_ids": uploaded["file_upload_ids"], "files_as_tasks_list": False}
    site.api("POST", f"/api/projects/{project.id}/reimport", json=request)
    return project


@pytest.fixture
def address(site: Site, project: RemoteProject) -> str:
    """The address of the file, as Label Studio puts it into the task."""
    [task] = site.label_studio.unlabelled_tasks(project.id)
    [value] = task.data.values()
    assert value.startswith("/data/upload/")
    return str(value)


def personal_token(site: Site) -> str:
    site.api("POST", "/api/jwt/settings", json={"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
    token: dict[str, Any] = site.api("POST", "/api/token/")
    return str(token["token"])


@pytest.fixture
def loader(site: Site) -> Iterator[Callable[[str], TextLoader]]:
    """Make a loader with an access token; its connections are closed afterwards."""
    used: list[Settings] = []

    def make(token: str) -> TextLoader:
        url = site.places.label_studio_url
        used.append(load_settings(_env_file=None, label_studio_url=url, label_studio_api_key=token))
        return open_text_loader(used[-1])

    texts._shared_cache.cache_clear()
    yield make
    for settings in used:
        label_studio = open_label_studio(settings)
        files_of(label_studio)._client.close()
        label_studio.close()
    files_of.cache_clear()
    client._cached.cache_clear()


@pytest.mark.filterwarnings("ignore:The `parse_obj` method")  # Label Studio's library
@pytest.mark.parametrize("token", [lambda site: TOKEN, personal_token], ids=["legacy", "personal"])
def test_uploaded_file_is_read_with_either_token(
    token: Callable[[Site], str], site: Site, address: str, loader: Callable[[str], TextLoader]
) -> None:
    load = loader(token(site))
    assert load(address) == TEXT
    assert load(f"{site.places.label_studio_url}{address}") == TEXT


def test_task_that_is_a_file_gets_a_prediction_of_its_text(
    site: Site, project: RemoteProject, version_folder: Path
) -> None:
    connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    site.publish(project, "ner-v1", version_folder)
    site.loop.promote(project.uid, "ner-v1", actor="test")
    site.wait("predictions of ner-v1", lambda: site.is_shown(project, "ner-v1"))
    [task] = site.label_studio.unlabelled_tasks(project.id)
    [prediction] = site.api("GET", f"/api/predictions/?task={task.id}")
    values = [region["value"] for region in prediction["result"]]
    assert "sushi" in [value["text"] for value in values]
    assert all(TEXT[value["start"] : value["end"]] == value["text"] for value in values)


def test_live_prediction_reads_the_file_while_label_studio_waits(
    site: Site, project: RemoteProject, version_folder: Path
) -> None:
    connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    site.publish(project, "ner-v1", version_folder)
    site.loop.registry.promote(project.uid, "ner-v1", actor="test")
    request = site.loop.store.syncs.pending(project.uid)
    assert request
    site.loop.store.syncs.complete(project.uid, request)
    [task] = site.label_studio.unlabelled_tasks(project.id)
    site.api(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        json={"selectedItems": {"all": False, "included": [task.id]}},
    )
    [prediction] = site.api("GET", f"/api/predictions/?task={task.id}")
    assert prediction["model_version"] == "ner-v1"
    assert "sushi" in [region["value"]["text"] for region in prediction["result"]]


def test_file_that_label_studio_does_not_give_is_named(loader: Callable[[str], TextLoader]) -> None:
    with pytest.raises(TextUnavailable, match="Label Studio answered 403 for the text at '/data/local-files/"):
        loader(TOKEN)("/data/local-files/?d=missing.txt")
