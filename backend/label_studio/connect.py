"""Connects this service to a Label Studio project, both ways."""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass

from backend.errors import LabelStudioError, SettingsError
from backend.label_studio.api import Backends, RemoteBackend, RemoteProject
from backend.settings import Settings
from label_config import LabelConfig

TITLE = "NER"


FIRST_WITH_BASIC_AUTH = (1, 12)
"""The first Label Studio that sends a user name and a password to ML backends, and deletes a version's predictions."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The connected project, its labels, and the id of its ML backend in Label Studio.

    ``others`` are the project's other ML backends. ``old_release`` is the release of a Label Studio before 1.12.
    """

    project: RemoteProject
    labels: tuple[str, ...]
    backend_id: int
    others: tuple[RemoteBackend, ...] = ()
    old_release: str | None = None


def connect(
    settings: Settings, label_studio: Backends, project_id: int, url: str, *, by_uncertainty: bool = True
) -> Connection:
    """Create or update the project's ML backend at ``url`` (as Label Studio reaches it) and switch pre-labels on.

    ``by_uncertainty`` switches Uncertainty sampling on too. With Basic auth configured, Label Studio's calls and its
    webhook both get the credentials. The webhook is created first: where Label Studio refuses the address, it has not
    called this service yet, so neither side is left with half a connection. Raises `SettingsError` where Label Studio
    is too old to send credentials. May be repeated.
    """
    url = url.rstrip("/")
    project = label_studio.project(project_id)
    labels = LabelConfig.from_xml(project.label_config).labels
    auth = credentials(settings)
    release = label_studio.release()
    is_old = _is_before_1_12(release)
    if auth and is_old:
        raise SettingsError(
            f"Label Studio {release} sends no user name and password to ML backends (1.12 and newer do), so this "
            "service would refuse its requests: update Label Studio, or unset BASIC_AUTH_USER and BASIC_AUTH_PASS here."
        )
    webhook = webhook_url(url)
    created = label_studio.save_webhook(project_id, webhook, authorization(auth))
    try:
        backend_id = label_studio.connect_backend(project_id, url, title=TITLE, auth=auth)
    except LabelStudioError:
        if created:
            with suppress(LabelStudioError):  # the first error is the one to be told
                label_studio.delete_webhook(project_id, webhook)
        raise
    label_studio.save_webhook(project_id, webhook, authorization(auth))  # some releases create another one
    label_studio.prepare_labelling(project_id, by_uncertainty=by_uncertainty)
    others = tuple(backend for backend in label_studio.backends(project_id) if backend.id != backend_id)
    return Connection(project, labels, backend_id, others, release if is_old else None)


def webhook_url(url: str) -> str:
    """Where the ML backend at ``url`` gets the events of its project."""
    return f"{url.rstrip('/')}/webhook"


def _is_before_1_12(release: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < FIRST_WITH_BASIC_AUTH


def credentials(settings: Settings) -> tuple[str, str] | None:
    """The user name and the password that this service asks for."""
    if settings.basic_auth_user is None or settings.basic_auth_pass is None:
        return None
    return settings.basic_auth_user, settings.basic_auth_pass.get_secret_value()


def authorization(auth: tuple[str, str] | None) -> str | None:
    """The Authorization header with these credentials."""
    return f"Basic {b64encode(':'.join(auth).encode()).decode()}" if auth else None
