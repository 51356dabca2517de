"""A real Label Studio and a real service beside it, on free ports: for tests and for screenshots."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.demo.processes import Processes
from backend.demo.show import Places, label_studio_command, label_studio_environment
from backend.label_studio.api import RemoteProject
from backend.label_studio.client import LabelStudio
from backend.label_studio.task_import import import_annotated_tasks
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings, load_settings
from backend.store.models import Version
from converters import Document, regions
from label_config import LabelConfig
from tests import samples

PROGRAM = Path(__file__).parents[1] / ".venv-label-studio" / "bin" / "label-studio"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
THRESHOLD = 3
START_SECONDS = 270.0

CONFIG = f"""<View>
  <Labels name="label" toName="text">{"".join(f'<Label value="{label}"/>' for label in samples.LABELS)}</Labels>
  <Text name="text" value="$text"/>
</View>"""


@dataclass(frozen=True)
class Site:
    """Both servers, running."""

    places: Places
    settings: Settings
    label_studio: LabelStudio
    loop: Loop
    processes: Processes

    def api(self, method: str, path: str, **request: Any) -> Any:
        """Call Label Studio's own API; fail unless it answers 2xx."""
        answer = httpx.request(
            method,
            f"{self.places.label_studio_url}{path}",
            headers={"Authorization": f"Token {TOKEN}"},
            timeout=120,
            **request,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def new_project(
        self, title: str, *, labelled: list[Document], unlabelled: list[str], label_config: str = CONFIG
    ) -> RemoteProject:
        project = self.label_studio.create_project(title, label_config)
        config = LabelConfig.from_xml(label_config)
        tasks: list[dict[str, Any]] = [
            {
                "data": {"text": document.text},
                "annotations": [{"result": regions(document.text, document.spans, config.texts[0])}],
            }
            for document in labelled
        ]
        tasks += [{"data": {"text": text}} for text in unlabelled]
        import_annotated_tasks(self.label_studio, project.id, tasks)
        # Stored at once, or else the worker's comparison counts them as changed, up to a minute later.
        self.loop.register_project(project.uid, title=title)
        self.loop.store.annotations.replace(project.uid, self.label_studio.annotation_tasks(project.id))
        return project

    def publish(self, project: RemoteProject, name: str, files: Path) -> Version:
        """Make a version of a trained one's ``files``, which are linked and not copied; it does not serve yet."""
        staged = self.places.folder / "staged" / project.uid / name
        shutil.copytree(files, staged, copy_function=os.link)
        return self.loop.registry.publish(
            project.uid, name, staged, run="0123456789ab", labels=samples.LABELS, metrics={}
        )

    def is_shown(self, project: RemoteProject, version: str) -> bool:
        """Every unlabelled task has a prediction of the version, and annotators are shown it."""
        predicted, total = self.label_studio.count_predictions(project.id, version)
        return predicted == total and self.label_studio.project(project.id).model_version == version

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 240) -> Any:
        """Poll until ``condition`` is true; return its value."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.processes.check()
            value = condition()
            if value:
                return value
            time.sleep(0.3)
        log = self.processes.log("work").read_text()[-3000:]
        pytest.fail(f"waited {seconds:.0f} s for {what}; the worker's log ends with:\n{log}")


@contextmanager
def running_site(folder: Path, **overrides: Any) -> Iterator[Site]:
    """Start both servers with their data below ``folder``; ``overrides`` replace the tests' settings."""
    if not PROGRAM.exists():
        pytest.fail(f"There is no Label Studio at {PROGRAM}: `make test` installs it.")
    places = Places(folder, label_studio_port=free_port(), port=free_port())
    values: dict[str, Any] = {
        "label_studio_url": places.label_studio_url,
        "label_studio_api_key": TOKEN,
        "host": "127.0.0.1",
        "port": places.port,
        "workers": 2,
        "basic_auth_user": "annotators",
        "basic_auth_pass": "s3cret:ü",
        "model_dir": folder / "models",
        "database_url": f"sqlite:///{folder / 'backend.sqlite3'}",
        "baseline_model_name": "embedded",
        "num_train_epochs": 4,
        "start_training_each_n_updates": THRESHOLD,
        "min_tasks_to_start_training": THRESHOLD,
        "promotion_tolerance": 1.0,
    }
    settings = load_settings(_env_file=None, **{**values, **overrides})
    with Processes(folder / "logs") as processes:
        processes.start("label-studio", label_studio_command(places, PROGRAM), label_studio_environment(places, TOKEN))
        for name in ("serve", "work"):
            processes.start(name, [sys.executable, "-m", "backend", name], settings.environment())
        for url in (f"{places.label_studio_url}/health", f"{places.backend_url}/health"):
            processes.wait_for(url, name=url, seconds=START_SECONDS, tick=lambda _: None)
        loop = open_service(settings).loop
        label_studio = LabelStudio(places.label_studio_url, TOKEN)
        try:
            yield Site(places, settings, label_studio, loop, processes)
        finally:
            label_studio.close()
            loop.store.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
