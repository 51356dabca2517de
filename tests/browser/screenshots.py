"""The pictures of the README: ``python -m tests.browser.screenshots [FOLDER]``, behind ``make screenshots``.

Nothing in them is painted: the demonstration's queries are labelled in a real Label Studio in three sittings, and after
each of them the service trains a version, as it would for people.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from playwright.sync_api import Browser, expect

from backend.demo.samples import load_samples
from backend.label_studio.api import RemoteProject
from backend.label_studio.connect import connect
from backend.scores import Score
from backend.store.models import LIVE
from converters import Document, regions
from label_config import LabelConfig, template
from tests.browser import labelling
from tests.browser.labelling import PATIENCE
from tests.browser.sample_service import ROOT, browsing
from tests.site import Site, running_site

TITLE = "Restaurant queries"
SITTING, LEFT, SINCE = 100, 20, 9
WIDTH, LABEL_STREAM_HEIGHT, DASHBOARD_HEIGHT = 1280, 600, 955
MAX_BYTES = 250_000


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "docs")
def main(folder: Path) -> None:
    """Write pre-labels.png and dashboard.png to FOLDER, by default docs."""
    chosen = {
        "start_training_each_n_updates": SITTING,
        "num_train_epochs": None,
        "promotion_tolerance": 0.005,
        "label_issues": False,
        "basic_auth_user": None,
        "basic_auth_pass": None,
    }
    click.echo("Label Studio and the service are started.")
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as state,
        running_site(Path(state), **chosen) as site,
        browsing() as browser,
    ):
        project = _label(site)
        _pre_labels(browser, site, project, folder / "pre-labels.png")
        _dashboard(browser, site, project, folder / "dashboard.png")


def _label(site: Site) -> RemoteProject:
    """Label the queries in three sittings; a version is trained after each."""
    samples = load_samples()
    config = LabelConfig.from_xml(template("restaurant"))
    queries = [*samples.labelled, *samples.unlabelled]
    first, *later = (queries[start : start + SITTING] for start in range(0, len(queries) - LEFT, SITTING))
    project = site.new_project(
        TITLE,
        labelled=first,
        unlabelled=[query.text for sitting in later for query in sitting],
        label_config=template("restaurant"),
    )
    url = site.places.backend_url
    backend = connect(site.settings, site.label_studio, project.id, url, by_uncertainty=False).backend_id
    site.label_studio.start_training(backend)
    _trained(site, project, 1)
    for number, sitting in enumerate(later, start=2):
        _answer(site, project, sitting, config)
        _trained(site, project, number)
    _import_the_rest(site, project, queries[-LEFT:], config)
    return project


def _import_the_rest(site: Site, project: RemoteProject, queries: list[Document], config: LabelConfig) -> None:
    """Import what is left to label, that with the most to see in it first: so the label stream goes. Label some."""

    def to_see(query: Document) -> tuple[int, float]:
        [tagging] = site.loop.predict(project.uid, [query.text]).taggings
        return len({span.label for span in tagging.spans}), tagging.score

    queries = sorted(queries, key=to_see, reverse=True)
    tasks = [{"data": {config.texts[0].fields[0]: query.text}} for query in queries]
    site.label_studio.import_tasks(project.id, tasks)
    serving = site.loop.store.projects.current_version(project.uid) or ""
    site.wait(f"predictions of {serving}", lambda: site.is_shown(project, serving), 300)
    _answer(site, project, queries[-SINCE:], config)
    site.wait("the last labels", lambda: site.loop.store.changes.count(project.uid) == SINCE, 60)


def _answer(site: Site, project: RemoteProject, queries: list[Document], config: LabelConfig) -> None:
    tasks = {task.data[config.texts[0].fields[0]]: task.id for task in site.label_studio.unlabelled_tasks(project.id)}
    for query in queries:
        site.label_studio.annotate(tasks[query.text], regions(query.text, query.spans, config.texts[0]))


def _trained(site: Site, project: RemoteProject, number: int) -> None:
    site.wait(f"run {number}", lambda: len(site.loop.runs(project.uid)) == number, 60)
    site.wait("its end", lambda: site.loop.runs(project.uid)[0].state not in LIVE, 900)
    run = site.loop.runs(project.uid)[0]
    if run.version is None:
        raise click.ClickException(f"Training run {run.id} {run.state}: {run.error}")
    seconds = (run.finished_at or 0) - (run.started_at or 0)
    click.echo(
        f"{run.version}: {Score.from_metrics(site.loop.versions(project.uid)[0].metrics).sentence}, in {seconds:.0f} s"
    )


def _pre_labels(browser: Browser, site: Site, project: RemoteProject, file: Path) -> None:
    context = labelling.signed_in(browser, site.places.label_studio_url)
    page = context.new_page()
    page.set_viewport_size({"width": WIDTH, "height": LABEL_STREAM_HEIGHT})
    labelling.label_all_tasks(page, project.id)
    expect(page.locator(".htx-highlight").first).to_be_visible(timeout=PATIENCE)
    _save(page.screenshot(animations="disabled"), file)
    context.close()


def _dashboard(browser: Browser, site: Site, project: RemoteProject, file: Path) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": DASHBOARD_HEIGHT}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{site.places.backend_url}/projects/{project.uid}/")
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible(timeout=PATIENCE)
    _save(page.screenshot(animations="disabled"), file)
    context.close()


def _save(picture: bytes, file: Path) -> None:
    if len(picture) > MAX_BYTES:
        raise click.ClickException(f"{file} would have {len(picture):,} bytes, more than {MAX_BYTES:,}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(picture)
    click.echo(f"{file}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
