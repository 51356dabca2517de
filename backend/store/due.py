"""When the next training run starts by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backend.settings import Settings

if TYPE_CHECKING:
    from backend.store import Store


def tasks_until_run(store: Store, uid: str, settings: Settings) -> int | None:
    """How many more tasks must change until a run is queued; ``None`` where only people start one.

    At least ``MIN_TASKS_TO_START_TRAINING`` tasks must be labelled, too. After a cancelled run the count starts anew:
    whoever cancelled it does not want it back at the next annotation.
    """
    threshold, min_tasks = settings.start_training_each_n_updates, settings.min_tasks_to_start_training
    if not threshold:
        return None
    latest = store.runs.latest(project=uid, limit=1)
    cancelled = (latest[0].revision or 0) if latest and latest[0].state == "cancelled" else 0
    changed = store.changes.count(uid, since=cancelled)
    return max(0, threshold - changed, min_tasks - store.changes.count_labelled(uid, up_to=min_tasks))
