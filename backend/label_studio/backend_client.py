"""Calls Label Studio's API: the server, projects, ML backends; `backend.label_studio.api` says what each means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import httpx
from label_studio_sdk import LabelStudio as Client
from label_studio_sdk.core.api_error import ApiError

from backend.errors import LabelStudioUnreachable
from backend.label_studio import refusals, wire
from backend.label_studio.api import RemoteBackend, RemoteProject, RemoteWebhook

UNCERTAINTY = "Uncertainty sampling"


class BackendClient:
    """One Label Studio server and an access token for it; implements `Backends`.

    A request takes at most ``timeout`` seconds. ``unused`` are `Settings.unused_variables`, which errors name.
    """

    def __init__(
        self, url: str, token: str | None, *, timeout: float = 60, unused: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        if not token:
            raise refusals.no_token(url, unused)
        self.url = url
        self._unused = unused
        with self._translated():
            self._client = Client(base_url=url, api_key=token, timeout=timeout)

    @contextmanager
    def _translated(self, what: str = "", *, service: str | None = None) -> Iterator[None]:
        """Raise the SDK's errors as ours; ``what`` is what the request was for, ``service`` as in `refusal`."""
        try:
            yield
        except ApiError as error:
            raise refusals.refusal(self.url, what, error, service=service) from None
        except (httpx.HTTPError, OSError) as error:
            raise self.unreachable(error) from None

    def unreachable(self, error: Exception) -> LabelStudioUnreachable:
        return refusals.unreachable(self.url, error, self._unused)

    def close(self) -> None:
        """Close the connections."""
        self._client._client_wrapper.httpx_client.httpx_client.close()

    def authorization(self) -> str:
        """The Authorization header of a request now; personal access tokens are exchanged and renewed."""
        with self._translated("an access token"):
            return self._client._client_wrapper.get_headers()["Authorization"]

    # The server

    def release(self) -> str:
        with self._translated("its version"):
            return self._client.versions.get().release or ""

    def user(self) -> str:
        with self._translated("the owner of the access token"):
            return self._client.users.whoami().email or ""

    def token_kind(self) -> str:
        return "legacy token" if self.authorization().startswith("Token ") else "personal access token"

    # Projects

    def project(self, project_id: int) -> RemoteProject:
        with self._translated(f"project {project_id}"):
            project = self._client.projects.get(project_id)
        return RemoteProject(
            id=project_id,
            uid=f"{project_id}.{int(project.created_at.timestamp()) if project.created_at else 0}",
            title=project.title or "",
            label_config=project.label_config or "",
            tasks=project.task_number or 0,
            annotations=project.total_annotations_number or 0,
            skips=project.skipped_annotations_number or 0,
            model_version=project.model_version or "",
            shows_predictions=bool(project.show_collab_predictions),
            by_uncertainty=str(project.sampling) == UNCERTAINTY,
        )

    def prepare_labelling(self, project_id: int, *, by_uncertainty: bool) -> None:
        fields: dict[str, Any] = {"sampling": UNCERTAINTY} if by_uncertainty else {}
        with self._translated(f"project {project_id}"):
            self._client.projects.update(
                project_id, show_collab_predictions=True, evaluate_predictions_automatically=False, **fields
            )

    # ML backends

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        fields: dict[str, Any] = {"url": url, "is_interactive": True, **wire.credentials(auth)}
        with self._translated(f"the ML backend of project {project_id}", service=url):
            existing = [backend for backend in self._client.ml.list(project=project_id) if backend.url == url]
            if existing:
                backend = self._client.ml.update(int(existing[0].id or 0), project=project_id, **fields)
            else:
                backend = self._client.ml.create(project=project_id, title=title, **fields)
        return int(backend.id or 0)

    def backends(self, project_id: int) -> list[RemoteBackend]:
        with self._translated(f"the ML backends of project {project_id}"):
            backends = self._client.ml.list(project=project_id)
        return [
            RemoteBackend(
                id=int(backend.id or 0),
                url=backend.url or "",
                title=backend.title or "",
                description=backend.description or "",
                model_version=backend.model_version or "",
                auth_method=str(backend.auth_method or "NONE"),
                basic_auth_user=backend.basic_auth_user or "",
                extra_params=backend.extra_params,
                answers=str(backend.state) not in ("DI", "ER"),
                is_interactive=bool(backend.is_interactive),
            )
            for backend in backends
        ]

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        self._update(project_id, backend, title=title, description=description)

    def test_backend(self, project_id: int, backend: RemoteBackend) -> None:
        self._update(project_id, backend)

    def _update(self, project_id: int, backend: RemoteBackend, **fields: Any) -> None:
        fields |= wire.unchanged(backend)
        with self._translated(f"the ML backend of project {project_id}", service=backend.url):
            self._client.ml.update(backend.id, project=project_id, **fields)

    def start_training(self, backend_id: int) -> None:
        with self._translated(f"training of ML backend {backend_id}"):
            self._client.ml.train(backend_id)

    # Webhooks

    def webhooks(self, project_id: int) -> list[RemoteWebhook]:
        with self._translated(f"the webhooks of project {project_id}"):
            hooks = self._client.webhooks.list(project=str(project_id))
        return [
            RemoteWebhook(
                id=int(hook.id or 0),
                url=hook.url,
                header=(hook.headers or {}).get("Authorization"),
                is_active=hook.is_active is not False,
                sends_all=hook.send_for_all_actions is not False and hook.send_payload is not False,
            )
            for hook in hooks
        ]

    def save_webhook(self, project_id: int, url: str, header: str | None) -> bool:
        fields: dict[str, Any] = {
            "url": url,
            "headers": {"Authorization": header} if header else {},
            "is_active": True,
            "send_for_all_actions": True,
            "send_payload": True,
        }
        existing = [hook for hook in self.webhooks(project_id) if hook.url == url]
        with self._translated(f"the webhook of project {project_id}", service=url.removesuffix("/webhook")):
            for hook in existing:
                self._client.webhooks.update(hook.id, **fields)
            if not existing:
                self._client.webhooks.create(project=project_id, **fields)
        return not existing

    def delete_webhook(self, project_id: int, url: str) -> None:
        for hook in self.webhooks(project_id):
            if hook.url == url:
                with self._translated(f"the webhook of project {project_id}"):
                    self._client.webhooks.delete(hook.id)
