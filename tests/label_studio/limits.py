"""Calls the service as Label Studio does, and measures whether it answers within Label Studio's time limits."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx

from backend.store.models import Run
from tests.label_studio.conftest import Connected
from tests.site import CONFIG

SECONDS = {"/health": 1.0, "/setup": 3.0, "/webhook": 1.0, "/job_status": 1.0, "/versions": 3.0}


class LimitedCalls:
    """Calls every path again and again, on a thread, until the context is left; ``longest`` are the longest answers."""

    def __init__(self, project: Connected, run: Run) -> None:
        site = project.site
        assert site.settings.basic_auth_user
        assert site.settings.basic_auth_pass
        self._client = httpx.Client(
            base_url=site.places.backend_url,
            auth=(site.settings.basic_auth_user, site.settings.basic_auth_pass.get_secret_value()),
            timeout=30,
        )
        created_at = site.api("GET", f"/api/projects/{project.id}")["created_at"]
        self._bodies: dict[str, Any] = {
            "/setup": {
                "project": project.uid,
                "schema": CONFIG,
                "hostname": "",
                "access_token": "",
                "extra_params": None,
            },
            "/webhook": {"action": "PROJECT_UPDATED", "project": {"id": project.id, "created_at": created_at}},
            "/job_status": {"job": run.id},
        }
        self.longest = dict.fromkeys(SECONDS, 0.0)
        self.calls = 0
        self.failures: list[tuple[str, int, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call_until_stopped)

    def __enter__(self) -> LimitedCalls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _call_until_stopped(self) -> None:
        while not self._stop.wait(0.05):
            for path in SECONDS:
                body = self._bodies.get(path)
                started = time.monotonic()
                answer = self._client.request("POST" if body else "GET", path, json=body)
                self.longest[path] = max(self.longest[path], time.monotonic() - started)
                self.calls += 1
                if answer.status_code != httpx.codes.OK:
                    self.failures.append((path, answer.status_code, answer.text))

    def late(self) -> dict[str, float]:
        """The paths that once took longer than Label Studio waits, and how long."""
        return {path: seconds for path, seconds in self.longest.items() if seconds > SECONDS[path]}
