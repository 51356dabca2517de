"""One training run, end to end, in a process of its own: ``python -m backend.training.run RUN_ID``.

Snapshot → documents → version → gate → publish → promote. Every outcome is written to the run's row; the exit code
is not zero only where even that was impossible.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from backend.errors import BackendError, ModelError, RunCancelled, UnknownProject
from backend.label_studio import open_label_studio
from backend.logs import configure_logging
from backend.registry import Registry
from backend.settings import Settings, load_settings
from backend.store import Store
from backend.tables import Project, Run
from backend.training.evaluate import Metrics, evaluate
from backend.training.gate import judge
from backend.training.progress import RunProgress
from backend.training.split import split
from converters import Document, read_tasks
from label_config import LabelConfig, UnsupportedLabelConfig

log = logging.getLogger(__name__)


def main(run_id: str) -> None:
    """Carry out a claimed run."""
    settings = load_settings()
    configure_logging(settings.log_level)
    os.nice(10)  # annotators come first: their requests share the cores with this process
    store = Store(settings.database_url)
    run = store.run(run_id)
    with RunProgress(store, run) as progress:
        try:
            _carry_out(settings, store, run, progress)
        except RunCancelled as error:
            log.warning("%s", error)
        except (BackendError, UnsupportedLabelConfig) as error:
            log.error("%s", error)
            progress.end("failed", error=str(error))
        except Exception as error:
            log.exception("the run failed")
            progress.end("failed", error=f"{type(error).__name__}: {error}")


def _carry_out(settings: Settings, store: Store, run: Run, progress: RunProgress) -> None:
    project = store.project(run.project)
    config, documents, revision = _snapshot(settings, store, project, progress)

    # torch and transformers take seconds to import; a run without a snapshot fails before that.
    from backend.training.build import build_version
    from backend.training.fine_tune import Recipe

    registry = Registry(settings.model_dir, store, device="cpu", precision=settings.precision)
    with registry.staging(run.id) as folder:
        built = build_version(
            documents,
            labels=config.labels,
            name=registry.next_name(project.uid),
            recipe=Recipe.from_settings(settings),
            folder=folder,
            progress=progress,
            precision=settings.precision,
        )
        verdict = judge(
            built.metrics,
            _current_metrics(registry, store.project(project.uid), documents),
            labels_grew=_labels_grew(store, store.project(project.uid), config),
            tolerance=settings.promotion_tolerance,
        )
        progress("publishing", 0.0)
        version = registry.publish(
            project.uid,
            built.info["name"],
            folder,
            run=run.id,
            labels=built.labels,
            metrics=built.metrics.to_dict() if built.metrics else {},
        )
    if verdict.promote:
        registry.promote(project.uid, version.name, verdict=verdict.reason)
        store.want_refresh(project.uid)
    else:
        store.set_verdict(project.uid, version.name, verdict.reason)
    store.settle_changes(project.uid, revision)
    progress.end("finished", version=version.name)
    log.info("%s %s", version.name, verdict.reason)


def _snapshot(
    settings: Settings, store: Store, project: Project, progress: RunProgress
) -> tuple[LabelConfig, list[Document], int]:
    """The project's labelled documents as Label Studio has them now, and the revision they certainly contain."""
    progress("fetching", 0.0)
    label_studio = open_label_studio(settings, project)
    remote = label_studio.project(project.id)
    if remote.uid != project.uid:
        raise UnknownProject(project.uid)
    store.remember_project(project.uid, title=remote.title, label_config=remote.label_config)
    store.replace_annotations(project.uid, label_studio.annotation_tasks(project.id))
    revision = store.project(project.uid).revision  # what changes from here on is for the next run
    progress("fetching", 0.5)
    config = LabelConfig.from_xml(remote.label_config)
    documents, report = read_tasks(label_studio.labelled_tasks(project.id), config)
    log.info("%s", report.summary())
    progress.note(documents=len(documents))
    return config, documents, revision


def _current_metrics(registry: Registry, project: Project, documents: Sequence[Document]) -> Metrics | None:
    """The serving version's scores on the same held-out documents; ``None`` where there is nothing to compare."""
    if project.current_version is None:
        return None
    try:
        current = registry.open(project.uid, project.current_version)
    except ModelError as error:
        log.warning("the current version cannot be compared: %s", error)
        return None
    return evaluate(current, split(documents).test)


def _labels_grew(store: Store, project: Project, config: LabelConfig) -> bool:
    if project.current_version is None:
        return False
    return not set(config.labels) <= set(store.version(project.uid, project.current_version).labels)


if __name__ == "__main__":
    main(sys.argv[1])
