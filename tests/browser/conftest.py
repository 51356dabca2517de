"""One service and one browser for the session, and a service of its own for a test that changes things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.serving import make_server

from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings, load_settings
from backend.web.app import create_app
from tests.browser import labelling
from tests.browser.sample_service import CHROMIUM, browsing, populated_service
from tests.browser.stages import write_stages
from tests.site import Site


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing: .ci/run installs Debian's package")
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="session")
def shown(version_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Loop]]:
    """Address and loop of a service that tests only look at, with a project at each stage."""
    with populated_service(_settings(tmp_path_factory.mktemp("shown")), version_folder) as (url, loop):
        write_stages(loop)
        yield url, loop


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    """Address of a service without a project, in a thread of this process."""
    settings = _settings(tmp_path)
    loop, _ = open_service(settings)
    server = make_server("127.0.0.1", 0, create_app(settings, loop), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    loop.store.close()


@pytest.fixture
def own(version_folder: Path, tmp_path: Path) -> Iterator[tuple[str, Loop]]:
    """The same for one test, which may change it."""
    with populated_service(_settings(tmp_path), version_folder) as running:
        yield running


@pytest.fixture(scope="session")
def signed_in(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser that is logged in to the session's Label Studio."""
    context = labelling.signed_in(browser, site.places.label_studio_url)
    yield context
    context.close()


@pytest.fixture
def label_studio_page(signed_in: BrowserContext) -> Iterator[Page]:
    page = signed_in.new_page()
    yield page
    page.close()


def _settings(folder: Path) -> Settings:
    return load_settings(
        _env_file=None, database_url=f"sqlite:///{folder / 'backend.sqlite3'}", model_dir=folder / "models"
    )
