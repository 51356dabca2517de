"""One training run, end to end, in a process of its own: ``python -m backend.training.run RUN_ID``.

Snapshot → documents → version → gate → publish → promote. Every outcome is written to the run's row; the exit code is
not 0 only if that failed.
"""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import BackendError, ModelError, RunCancelled
from backend.evaluation.evaluate import Metrics, evaluate
from backend.evaluation.gate import GateDecision, decide, explain
from backend.label_studio.client import open_label_studio
from backend.logs import configure_logging
from backend.recipe import Recipe
from backend.registry import Registry
from backend.settings import Settings, load_settings
from backend.store import Store
from backend.store.models import Project, Run
from backend.training.faults import translate_faults
from backend.training.progress import RunProgress
from backend.training.snapshot import take_snapshot
from converters import TaggedDocument
from label_config import UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.training.build import BuiltVersion
    from backend.training.fine_tuning.distributed import OtherRanks

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
        progress=lambda fraction: progress("fetching", fraction),
    )
    progress.note(documents=len(snapshot.documents))

    # torch and transformers take seconds to import; a run without a snapshot fails before that.
    from backend.training.build import build_version

    registry = Registry(settings.model_dir, store, device="cpu", precision=settings.precision)
    with registry.staging(run.id, attempt=run.attempt) as folder, translate_faults(settings.model_dir):
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
        )
        decision = _decide(store, registry, project.uid, built, tolerance=settings.promotion_tolerance)
        progress("publishing", 0.0)
        version = registry.publish(
            project.uid,
            built.info["name"],
            folder,
            run=run.id,
            labels=built.labels,
            metrics=built.metrics.to_dict() if built.metrics else {},
            decision=decision,
            write_row=lambda version: progress.publish(version, promote=decision.promote, revision=snapshot.revision),
        )
    log.info("%s %s", version.name, explain(decision))


def _start(registry: Registry, project: Project, recipe: Recipe) -> Path | None:
    """Folder of the current version, from which training continues; ``None`` if its base model is another one."""
    if not recipe.warm_start or project.current_version is None:
        return None
    folder = registry.folder(project.uid, project.current_version)
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("training starts from the base model: %s cannot be read: %s", folder, error)
        return None
    return folder if metrics["recipe"]["base"] == recipe.base else None


def _decide(store: Store, registry: Registry, uid: str, built: BuiltVersion, *, tolerance: float) -> GateDecision:
    """Compare a new version with the current one, on the new version's test set."""
    current = store.projects.get(uid).current_version
    return decide(
        built.metrics,
        _metrics_of(registry, uid, current, built.test) if current else None,
        labels=built.labels,
        current_labels=store.versions.get(uid, current).labels if current else (),
        tolerance=tolerance,
        current_name=current,
    )


def _metrics_of(registry: Registry, uid: str, version: str, documents: Sequence[TaggedDocument]) -> Metrics | None:
    """The scores of a version; ``None`` if it cannot be opened."""
    try:
        tagger = registry.open(uid, version)
    except ModelError as error:
        log.warning("%s is not compared with the new version: %s", version, error)
        return None
    return evaluate(tagger, documents)


def _pipe_from_worker() -> int | None:
    stdin = sys.stdin.fileno() if sys.stdin else None
    return stdin if stdin is not None and stat.S_ISFIFO(os.fstat(stdin).st_mode) else None


if __name__ == "__main__":
    main(sys.argv[1], lifeline=_pipe_from_worker())
