"""Several processes fine-tune one model: the one that carries out the run tells the others what to do.

``accelerate launch`` starts the same command several times, perhaps on several machines. The first process leads: it
alone fetches, exports, evaluates and writes. The others wait for a `Job`, take their share of each batch, and end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from accelerate.utils import broadcast_object_list

from backend.recipe import Recipe
from backend.training.devices import processes
from converters.document import Document


class Job(NamedTuple):
    """What `backend.training.fine_tune.fine_tune` is called with."""

    train: Sequence[Document]
    validation: Sequence[Document]
    labels: Sequence[str]
    recipe: Recipe
    start: Path | None


def is_leader() -> bool:
    return bool(processes().is_main_process)


class Leader:
    """The leading process's side; alone, it has nothing to say."""

    def __init__(self) -> None:
        self._told = False

    def tell(self, job: Job | None) -> None:
        """Give all others the job, or let them go; only the first call counts."""
        if not self._told and processes().num_processes > 1:
            broadcast_object_list([job])
        self._told = True


def told() -> Job | None:
    """Wait for what the leader has to say: a job, or ``None`` where there will be none."""
    received: list[Job | None] = [None]
    broadcast_object_list(received)
    return received[0]
