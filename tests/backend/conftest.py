"""What the backend's tests share: settings, store, registry, loop and app, fresh for every test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.loop import Loop
from backend.registry import Registry
from backend.settings import Settings, load_settings
from backend.store import Store
from backend.store.models import Version
from backend.web.app import create_app
from tests.backend.fakes import LABEL_CONFIG, LABELS, UID, FakeQueue, SushiTagger

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings from explicit values alone; the state is below ``tmp_path``."""

    def make(**values: Any) -> Settings:
        state = {"database_url": f"sqlite:///{tmp_path / 'backend.sqlite3'}", "model_dir": tmp_path / "models"}
        return load_settings(_env_file=None, **{**state, **values})

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(start_training_each_n_updates=3, min_tasks_to_start_training=3, label_issues=False)


@pytest.fixture
def child_environment() -> Callable[[Settings], dict[str, str]]:
    """The environment of a process that is to run this code with these settings, wherever it starts."""

    def environment(settings: Settings) -> dict[str, str]:
        return {**os.environ, **settings.environment(), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    return environment


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database_url)
    yield store
    store.close()


@pytest.fixture
def registry(settings: Settings, store: Store) -> Registry:
    return Registry(settings.model_dir, store)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def loop(settings: Settings, store: Store, registry: Registry, queue: FakeQueue) -> Loop:
    return Loop(settings, store, registry, queue)


@pytest.fixture
def app(settings: Settings, loop: Loop) -> Flask:
    return create_app(settings, loop)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def fake_models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every version opens as a `SushiTagger`; the list names those that were opened."""
    opened: list[str] = []

    def load(folder: Path, **options: object) -> SushiTagger:
        opened.append(folder.name)
        return SushiTagger()

    monkeypatch.setattr("backend.registry.Tagger.load", load)
    return opened


@pytest.fixture
def publish(registry: Registry, store: Store, tmp_path: Path) -> Callable[..., Version]:
    """Publish a version, of ``files`` where a real model is needed, and make it the current one unless told not to."""

    def publish(
        name: str = "ner-v1", *, uid: str = UID, files: Path | None = None, current: bool = True, **columns: Any
    ) -> Version:
        store.projects.save(uid, title="Restaurants", label_config=LABEL_CONFIG)
        staged = tmp_path / "staged" / uid / name
        staged.parent.mkdir(parents=True, exist_ok=True)
        if files:
            staged.symlink_to(files, target_is_directory=True)
        else:
            staged.mkdir()
        known = {
            "run": "0123456789ab",
            "labels": LABELS,
            "metrics": {"f1": 0.8},
            "scored_in": "0123456789ab",
            **columns,
        }
        version = registry.publish(uid, name, staged, **known)
        if current:
            registry.promote(uid, name, actor="gate")
        return version

    return publish


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server of this session's own; skips where the program is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off".split()
    subprocess.run(
        [programs[-1], "-D", folder / "data", "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"],
        user=user, check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs[-1].with_name("postgres"), "-D", folder / "data", *options],
        user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        _wait_for_postgresql(port)
        yield f"postgresql+psycopg://tests@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGQUIT)  # at once, whoever is still connected
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_postgresql(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="tests", dbname="postgres").close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'any.sqlite3'}"
    url: str = request.getfixturevalue("postgresql")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return url


@pytest.fixture
def any_store(any_url: str) -> Iterator[Store]:
    """A store on each kind of database, and in it the project ``UID``."""
    store = Store(any_url)
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)
    yield store
    store.close()
