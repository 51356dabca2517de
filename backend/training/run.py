"""One training run, end to end, in a process of its own: ``python -m backend.training.run RUN_ID``.

Snapshot → documents → version → gate → publish → promote. Every outcome is written to the run's row; the exit code is
not 0 only if that failed.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backend.conversion import Conversion, count
from backend.errors import BackendError, NotEnoughLabels, RunCancelled
from backend.evaluation.gate import GateDecision, decide, decide_against_phrases, decide_on_regions, with_regions
from backend.evaluation.verdict import explain
from backend.label_studio.client import open_label_studio
from backend.label_studio.texts import loader_of
from backend.recipe import Recipe
from backend.registry import Registry
from backend.settings import Settings, configure_logging, load_settings
from backend.store import Store
from backend.store.models import TOO_FEW_LABELS, Project, Run
from backend.training.data_state import data_state
from backend.training.faults import translate_faults
from backend.training.phrases import score_phrases
from backend.training.progress import RunProgress
from backend.training.snapshot import Snapshot, take_snapshot
from backend.training.split import subset_of
from backend.training.start import continues_from
from converters.label_studio import note_loss
from converters.tagged import TaggedDocument, tag_document
from label_config import UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.training.build import BuiltVersion
    from backend.training.fine_tuning.distributed import OtherRanks
    from backend.training.score_versions import ScoredVersion

log = logging.getLogger(__name__)


def main(run_id: str, *, lifeline: int | None = None) -> None:
    """Train a version for a claimed run; ``lifeline`` as in `RunProgress`.

    Where `accelerate launch` has started several processes, all but rank 0 take part in the fine-tuning only.
    """
    settings = load_settings()
    configure_logging(settings.log_level)
    os.nice(10)  # annotators' requests share the cores with this process and have priority
    if settings.accelerate_config is None:
        _run(settings, run_id, None, lifeline)
        return
    from backend.training.fine_tuning.distributed import OtherRanks, is_rank_0

    if not is_rank_0():
        join_fine_tuning()
        return
    with OtherRanks() as other_ranks:
        _run(settings, run_id, other_ranks, lifeline)


def join_fine_tuning() -> None:
    """Fine-tune together with rank 0, which does everything else."""
    from backend.training.fine_tuning.distributed import receive_job
    from backend.training.fine_tuning.fine_tune import fine_tune

    job = receive_job()
    if job:
        fine_tune(**job._asdict(), progress=lambda _: None)


def _run(settings: Settings, run_id: str, other_ranks: OtherRanks | None, lifeline: int | None) -> None:
    """Train and publish, and write the outcome to the run's row."""
    store = Store(settings.database_url)
    run = store.runs.get(run_id)
    with RunProgress(store, run, lifeline=lifeline) as progress:
        try:
            with translate_faults(settings.model_dir):
                _train_and_publish(settings, store, run, progress, other_ranks)
        except RunCancelled as error:
            log.warning("%s", error)
        except NotEnoughLabels as error:
            log.warning("%s", error)
            progress.end("failed", error=str(error), error_kind=TOO_FEW_LABELS)
        except (BackendError, UnsupportedLabelConfig) as error:
            log.error("%s", error)
            progress.end("failed", error=str(error))
        except Exception as error:
            log.exception("the run failed")
            progress.end("failed", error=f"{type(error).__name__}: {error}")


def _train_and_publish(
    settings: Settings, store: Store, run: Run, progress: RunProgress, other_ranks: OtherRanks | None
) -> None:
    project = store.projects.get(run.project)
    recipe = Recipe.from_settings(settings, project.extra_params, run.overrides)
    snapshot = take_snapshot(
        store,
        project.uid,
        open_label_studio(settings, project),
        replace_annotations=True,
        open_loader=lambda config: loader_of(config, settings, project),
        progress=lambda fraction: progress("fetching", fraction),
    )
    data = data_state(_tag(snapshot), snapshot.annotators)
    conversion = snapshot.conversion
    store.data_states.save(project.uid, run.id, data)
    progress.note(documents=conversion.total.tasks_used, conversion=conversion.to_dict())
    _check_regions(conversion)

    # torch and transformers take seconds to import; a run without a snapshot fails before that.
    from backend.training.build import build_version
    from backend.training.score_versions import outcome_of, score_versions

    registry = Registry(settings.model_dir, store, device="cpu", precision=settings.precision)
    with (
        registry.staging(run.id, attempt=run.attempt) as folder,
        translate_faults(settings.model_dir),
        _naming_losses(conversion),
    ):
        built = build_version(
            snapshot.documents,
            labels=snapshot.config.labels,
            name=registry.next_name(project.uid),
            recipe=recipe,
            folder=folder,
            progress=progress,
            precision=settings.precision,
            start=_start(registry, store.projects.get(project.uid), recipe),
            other_ranks=other_ranks,
            conversion=conversion,
        )
        others = score_versions(registry, store.versions.of(project.uid, usable=True), built, snapshot.config, progress)
        decision = _decide(settings, store, project.uid, built, snapshot, others)
        outcome = outcome_of(decision, run, built, others, current=store.projects.current_version(project.uid))
        progress("publishing", 0.0)
        version = registry.publish(
            project.uid,
            built.info["name"],
            folder,
            run=run.id,
            labels=built.labels,
            metrics=built.metrics.to_dict() if built.metrics else {},
            scored_in=run.id if outcome["scores"] is not None else None,
            decision=decision,
            write_row=lambda version: progress.publish(version, revision=snapshot.revision, **outcome),
        )
    log.info("%s %s", version.name, explain(decision))


def _tag(snapshot: Snapshot) -> Iterator[TaggedDocument]:
    """Tag the snapshot's documents; regions that do not become tags are noted in its reports."""
    for document in snapshot.documents:
        report = snapshot.reports[subset_of(document.id)]
        tagged = tag_document(document, labels=snapshot.config.labels)
        for loss in tagged.losses:
            note_loss(report, document.id, loss)
            report.spans -= 1
        yield tagged


def _check_regions(conversion: Conversion) -> None:
    """Raise `NotEnoughLabels` if people have labelled, but nothing of it can be used."""
    total = conversion.total
    losses = "; ".join(conversion.loss_sentences())
    if total.regions and not total.regions_used:
        tasks, regions = count(total.tasks, "labelled task"), count(total.regions, "region")
        raise NotEnoughLabels(f"{tasks} with {regions}, of which none can be used: {losses}.")
    if total.tasks and not total.tasks_used:
        raise NotEnoughLabels(f"{count(total.tasks, 'labelled task')}, of which none can be used: {losses}.")


@contextmanager
def _naming_losses(conversion: Conversion) -> Iterator[None]:
    """Add to the error that there are too few labels which ones could not be used."""
    try:
        yield
    except NotEnoughLabels as error:
        losses = "; ".join(conversion.loss_sentences())
        if not losses:
            raise
        raise NotEnoughLabels(f"{error} What could not be used: {losses}.") from None


def _start(registry: Registry, project: Project, recipe: Recipe) -> Path | None:
    """Folder of the current version, if training continues from it."""
    if project.current_version is None:
        return None
    folder = registry.folder(project.uid, project.current_version)
    return folder if continues_from(folder, recipe) else None


def _decide(
    settings: Settings,
    store: Store,
    uid: str,
    built: BuiltVersion,
    snapshot: Snapshot,
    others: Mapping[str, ScoredVersion],
) -> GateDecision:
    """Judge how many regions a new version learnt from, then compare it on its test set.

    It is compared with the current version, or with phrases where none serves.
    """
    conversion = snapshot.conversion
    name = store.projects.current_version(uid)
    current = store.versions.get(uid, name) if name else None
    current_labels = current.labels if current else ()
    limit = settings.max_lost_regions
    rejection = decide_on_regions(
        conversion,
        labels=built.labels,
        current_labels=current_labels,
        max_lost_regions=limit,
        current_name=name,
        current_decision=current.decision if current else None,
    )
    if rejection:
        return rejection
    if name is None:
        given = store.phrases.given(uid)
        phrases = score_phrases(snapshot.documents, built.test, labels=built.labels, given=given)
        decision = decide_against_phrases(built.metrics, phrases, tolerance=settings.promotion_tolerance)
    else:
        names_today = [snapshot.config.label_named(label) for label in current_labels]
        decision = decide(
            built.metrics,
            others[name].metrics if name in others else None,
            labels=built.labels,
            current_labels=[label for label in names_today if label is not None],
            tolerance=settings.promotion_tolerance,
            current_name=name,
        )
    return with_regions(decision, conversion, max_lost_regions=limit)


def _pipe_from_worker() -> int | None:
    stdin = sys.stdin.fileno() if sys.stdin else None
    return stdin if stdin is not None and stat.S_ISFIFO(os.fstat(stdin).st_mode) else None


if __name__ == "__main__":
    main(sys.argv[1], lifeline=_pipe_from_worker())
