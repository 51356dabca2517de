"""Connects this service to a Label Studio project, both ways."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass

from backend.errors import SettingsError
from backend.label_studio.api import Backends, RemoteBackend, RemoteProject
from backend.settings import Settings
from label_config import LabelConfig

TITLE = "NER"


FIRST_WITH_BASIC_AUTH = (1, 12)
"""The first Label Studio that sends a user name and a password to ML backends."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connected project, its labels, and the id of its ML backend in Label Studio.

    ``others`` are the project's other ML backends.
    """

    project: RemoteProject
    labels: tuple[str, ...]
    backend_id: int
    others: tuple[RemoteBackend, ...] = ()


def connect(settings: Settings, label_studio: Backends, project_id: int, url: str) -> Connection:
    """Create or update the project's ML backend at ``url`` (as Label Studio reaches it) and switch pre-labels on.

    With Basic auth configured, Label Studio's calls and its webhook both get the credentials: Label Studio creates the
    webhook without any, and this service would refuse its requests. Raises `SettingsError` where Label Studio is too
    old to send them. May be repeated.
    """
    url = url.rstrip("/")
    project = label_studio.project(project_id)
    labels = LabelConfig.from_xml(project.label_config).labels
    auth = _credentials(settings)
    if auth:
        _check_release(label_studio.release())
    backend_id = label_studio.connect_backend(project_id, url, title=TITLE, auth=auth)
    label_studio.authorise_webhook(project_id, f"{url}/webhook", _header(auth))
    label_studio.switch_prelabelling_on(project_id)
    others = tuple(backend for backend in label_studio.backends(project_id) if backend.id != backend_id)
    return Connection(project, labels, backend_id, others)


def _check_release(release: str) -> None:
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if numbers and (int(numbers[1]), int(numbers[2])) < FIRST_WITH_BASIC_AUTH:
        raise SettingsError(
            f"Label Studio {release} sends no user name and password to ML backends (1.12 and newer do), so this "
            "service would refuse its requests: update Label Studio, or unset BASIC_AUTH_USER and BASIC_AUTH_PASS here."
        )


def _credentials(settings: Settings) -> tuple[str, str] | None:
    if settings.basic_auth_user is None or settings.basic_auth_pass is None:
        return None
    return settings.basic_auth_user, settings.basic_auth_pass.get_secret_value()


def _header(auth: tuple[str, str] | None) -> str | None:
    return f"Basic {b64encode(':'.join(auth).encode()).decode()}" if auth else None
