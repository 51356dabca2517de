"""One service and one browser for the session, and a service of its own for a test that changes things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from backend.loop import Loop
from backend.settings import Settings, load_settings
from tests.browser import labelling
from tests.browser.sample_service import CHROMIUM, browsing, populated_service
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
    """Address and loop of a populated service that tests only look at."""
    with populated_service(_settings(tmp_path_factory.mktemp("shown")), version_folder) as running:
        yield running


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
