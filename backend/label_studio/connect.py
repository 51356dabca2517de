"""Connects this service to a Label Studio project, both ways."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from backend.label_studio.api import Backends, RemoteProject
from backend.settings import Settings
from label_config import LabelConfig

TITLE = "NER"


@dataclass(frozen=True, slots=True)
class Connection:
    """The connected project, its labels, and the id of its ML backend in Label Studio."""

    project: RemoteProject
    labels: tuple[str, ...]
    backend_id: int


def connect(settings: Settings, label_studio: Backends, project_id: int, url: str) -> Connection:
    """Create or update the project's ML backend at ``url`` (as Label Studio reaches it) and switch pre-labels on.

    With Basic auth configured, Label Studio's calls and its webhook both get the credentials: Label Studio creates the
    webhook without any, and this service would refuse its requests. May be repeated.
    """
    url = url.rstrip("/")
    project = label_studio.project(project_id)
    labels = LabelConfig.from_xml(project.label_config).labels
    auth = _credentials(settings)
    backend_id = label_studio.connect_backend(project_id, url, title=TITLE, auth=auth)
    label_studio.authorise_webhook(project_id, f"{url}/webhook", _header(auth))
    label_studio.switch_prelabelling_on(project_id)
    return Connection(project, labels, backend_id)


def _credentials(settings: Settings) -> tuple[str, str] | None:
    if settings.basic_auth_user is None or settings.basic_auth_pass is None:
        return None
    return settings.basic_auth_user, settings.basic_auth_pass.get_secret_value()


def _header(auth: tuple[str, str] | None) -> str | None:
    return f"Basic {b64encode(':'.join(auth).encode()).decode()}" if auth else None
