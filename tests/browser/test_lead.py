"""What a project lead does and sees: Settings → Model → ••• → Start Training, and downloads of the labels."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.label_studio.connect import connect
from backend.scores import Score
from backend.store.models import LIVE
from converters import read_conll, to_documents
from tests import samples
from tests.browser import labelling
from tests.browser.labelling import PATIENCE
from tests.browser.sample_service import LABEL_CONFIG
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.label_studio, pytest.mark.timeout(600)]


def test_start_training_starts_a_run_and_the_card_tells_how_good_its_version_is(
    label_studio_page: Page, site: Site
) -> None:
    project = site.new_project(
        "Lead", labelled=samples.documents(), unlabelled=["ramen downtown"], label_config=LABEL_CONFIG
    )
    connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    card = labelling.open_model_page(label_studio_page, project.id)
    expect(card).to_contain_text("Connected")
    assert site.loop.runs(project.uid) == []

    labelling.start_training(label_studio_page)
    [run] = site.loop.runs(project.uid)
    assert run.reason == "Start Training in Label Studio"
    site.wait("the run's end", lambda: site.loop.run(run.id).state not in LIVE)
    done = site.loop.run(run.id)
    assert (done.state, done.version) == ("finished", "ner-v1"), done.error
    score = Score.from_metrics(site.loop.versions(project.uid)[0].metrics)
    site.wait("the version on the card", lambda: _shows(label_studio_page, project.id, f"ner-v1 ({score.short})"))


def _shows(page: Page, project: int, words: str) -> bool:
    """Whether the card contains these words after the page is opened again."""
    return words in labelling.open_model_page(page, project).inner_text(timeout=PATIENCE)


@pytest.fixture
def dashboard(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of a browser that knows the service's user and password."""
    assert site.settings.basic_auth_user
    assert site.settings.basic_auth_pass
    password = site.settings.basic_auth_pass.get_secret_value()
    context = browser.new_context(http_credentials={"username": site.settings.basic_auth_user, "password": password})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def test_labels_are_downloaded_as_label_studio_holds_them(dashboard: Page, site: Site) -> None:
    labelled = samples.documents()
    project = site.new_project("Take away", labelled=labelled, unlabelled=["a"], label_config=LABEL_CONFIG)
    dashboard.goto(f"{site.places.backend_url}/projects/{project.uid}/")
    with dashboard.expect_download() as download:
        dashboard.get_by_role("button", name="CoNLL-2003").click()
    assert download.value.suggested_filename == "take-away-conll.zip"
    with zipfile.ZipFile(download.value.path()) as packed:
        lines = io.StringIO(packed.read("labels.conll").decode())
        exported = to_documents(read_conll(lines), io.StringIO(packed.read("labels.conll.jsonl").decode()))
    assert [(document.text, document.spans) for document in exported] == [
        (document.text, document.spans) for document in labelled
    ]

    dashboard.get_by_role("button", name="Read the conversion report").click()
    expect(dashboard.get_by_role("heading", level=1)).to_contain_text("report")
    expect(dashboard.locator("main")).to_contain_text(str(len(labelled)))
