"""The demonstration from start to end: start the servers, train, show, and (``once``) check the loop unattended."""

from __future__ import annotations

import secrets
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from backend.demo.annotator import label_and_check
from backend.demo.processes import DemoError, Processes, require_free_ports
from backend.demo.project import DemoProject
from backend.demo.samples import Samples, as_tasks, load_samples
from backend.demo.steps import Steps
from backend.errors import BackendError
from backend.label_studio.api import ProjectSetup, RemoteProject
from backend.label_studio.client import LabelStudio
from backend.label_studio.connect import connect
from backend.label_studio.task_import import import_annotated_tasks
from backend.scores import Score
from backend.service import open_service
from backend.settings import Settings, load_settings
from backend.store.models import Version
from label_config import LabelConfig, template

EMAIL = "demo@example.com"
PASSWORD = "restaurant"  # noqa: S105 - a Label Studio that listens on this machine only, with invented data
TITLE = "Restaurant queries"

_LABEL_STUDIO_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Places:
    """The demonstration's data folder and the ports of its servers."""

    folder: Path
    label_studio_port: int
    port: int

    @property
    def label_studio_url(self) -> str:
        return f"http://localhost:{self.label_studio_port}"

    @property
    def backend_url(self) -> str:
        return f"http://localhost:{self.port}"


def run_demo(*, once: bool, port: int, label_studio_port: int, program: Path, folder: Path) -> int:
    """Run the demonstration; return the exit code. ``once`` uses fresh data and ends by itself."""
    # SIGINT by name, too: a shell starts background jobs with it ignored, and then Python leaves it so.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if once:
        folder = folder / "once"
        shutil.rmtree(folder, ignore_errors=True)
    places = Places(folder, label_studio_port, port)
    try:
        if not program.exists():
            raise DemoError(f"There is no Label Studio at {program}: `make demo` installs one there.")
        require_free_ports({"PORT": port, "LABEL_STUDIO_PORT": label_studio_port})
        with Processes(folder / "logs") as processes:
            _run(places, program.resolve(), processes, once=once)
            return 0
    except KeyboardInterrupt:
        click.echo("\nStopped; all processes have ended. `make demo` continues where this ended.")
        return 0
    except BackendError as error:
        click.echo(f"\nThe demonstration failed: {error}", err=True)
        return 1


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(places: Places, program: Path, processes: Processes, *, once: bool) -> None:
    token = _token(places.folder)
    settings = _settings(places, token)
    samples = load_samples()
    steps = Steps(9 if once else 6)
    with steps.step("Starting Label Studio (the first time it prepares its database)") as tick:
        processes.start("label-studio", label_studio_command(places, program), label_studio_environment(places, token))
        health = f"http://127.0.0.1:{places.label_studio_port}/health"
        processes.wait_for(health, name="label-studio", seconds=_LABEL_STUDIO_SECONDS, tick=tick)
    with steps.step("Starting the ML backend: web server and worker") as tick:
        for name in ("serve", "work"):
            processes.start(name, [sys.executable, "-m", "backend", name], settings.environment())
        health = f"http://127.0.0.1:{places.port}/health"
        processes.wait_for(health, name="serve", seconds=60, tick=tick)
    label_studio = LabelStudio(places.label_studio_url, token)
    loop = open_service(settings).loop
    counts = f"{len(samples.labelled)} labelled and {len(samples.unlabelled)} unlabelled queries"
    with steps.step(f"Preparing the project: {counts}"):
        remote = _project(label_studio, samples)
    project = DemoProject(loop, label_studio, remote, processes)
    with steps.step("Connecting the ML backend to the project"):
        backend_id = connect(settings, label_studio, remote.id, places.backend_url).backend_id
    page = settings.project_url(remote.uid)
    click.echo(f"      Follow it on the project's page: {page}")
    version = project.current_version()
    with steps.step(f"Continuing with {version.name}" if version else "Training the first version") as tick:
        if version is None:
            label_studio.start_training(backend_id)
            version = project.wait_for_version(None, tick)
    with steps.step(f"Pre-annotating the unlabelled queries with {version.name}") as tick:
        project.wait_for_predictions(version.name, tick)
    if once:
        label_and_check(project, samples, settings.start_training_each_n_updates, steps)
        return
    click.echo(_instructions(places, remote, version, page))
    while True:
        processes.check()
        time.sleep(1)


def _settings(places: Places, token: str) -> Settings:
    """The service's settings for the demonstration; the user's settings for training are kept."""
    environment = load_settings()
    fixed = {
        "label_studio_url": places.label_studio_url,
        "label_studio_api_key": token,
        "host": "127.0.0.1",
        "port": places.port,
        "public_url": places.backend_url,
        "model_dir": places.folder / "models",
        "database_url": f"sqlite:///{places.folder / 'backend.sqlite3'}",
    }
    if "baseline_model_name" not in environment.model_fields_set:
        fixed["baseline_model_name"] = "embedded"
    return load_settings(**fixed)


def _token(folder: Path) -> str:
    """Label Studio's access token for the demonstration's user: created once and kept with its data."""
    file = folder / "token"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(secrets.token_hex(20))
        file.chmod(0o600)
    return file.read_text()


def label_studio_command(places: Places, program: Path) -> list[str]:
    port = str(places.label_studio_port)
    return [str(program), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", port]


def label_studio_environment(places: Places, token: str) -> dict[str, str]:
    return {
        "LABEL_STUDIO_BASE_DATA_DIR": str(places.folder / "label-studio"),
        "LABEL_STUDIO_USERNAME": EMAIL,
        "LABEL_STUDIO_PASSWORD": PASSWORD,
        "LABEL_STUDIO_USER_TOKEN": token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        # Without these, Label Studio refuses backends and webhooks on this machine's own addresses.
        "ML_BLOCK_LOCAL_IP": "false",
        "SSRF_PROTECTION_ENABLED": "false",
        "COLLECT_ANALYTICS": "False",
        "LATEST_VERSION_CHECK": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }


def _project(label_studio: ProjectSetup, samples: Samples) -> RemoteProject:
    """The demonstration's project, created on the first start."""
    project = label_studio.find_project(TITLE)
    if project is None:
        project = label_studio.create_project(TITLE, template("restaurant"))
    if not project.tasks:
        tasks = as_tasks(samples, LabelConfig.from_xml(project.label_config))
        import_annotated_tasks(label_studio, project.id, tasks)
    return project


def _instructions(places: Places, project: RemoteProject, version: Version, page: str) -> str:
    label_studio = f"{places.label_studio_url}/projects/{project.id}"
    return f"""
The loop is running; {version.name} pre-annotates: {Score.from_metrics(version.metrics).sentence}.

  Label Studio   {places.label_studio_url}
  login          {EMAIL}
  password       {PASSWORD}
  dashboard      {places.backend_url}

Four things to try:
  1. Open {label_studio}/data and press “Label All Tasks”:
     each query has the model's regions. Correct and submit ten of them; a new version is trained,
     and the queries that are not labelled yet get its regions.
  2. Open {page} meanwhile: the dashboard shows the training, compares
     the versions by label, lists labels that are probably mistakes, and lets you try the model on a text.
  3. Open {label_studio}/settings/ml and choose ••• → Start Training:
     this trains by hand. Reload the page: the model's title shows the progress, then the new version.
  4. Paste your own sentences with Import on the project's page: they are pre-annotated within seconds.

Ctrl-C stops everything; `make demo` continues where you stopped.
"""
