"""Several processes fine-tune one model: rank 0 sends the others the job.

``accelerate launch`` starts the same command several times, perhaps on several machines. Rank 0 alone fetches the
documents, exports, evaluates and publishes. The other ranks wait for a `Job`, compute their share of each batch, and
exit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from accelerate.utils import broadcast_object_list

from backend.recipe import Recipe
from backend.training.fine_tuning.devices import processes
from converters.tagged import TaggedDocument


class Job(NamedTuple):
    """The arguments of `backend.training.fine_tuning.fine_tune.fine_tune`."""

    train: Sequence[TaggedDocument]
    validation: Sequence[TaggedDocument]
    labels: Sequence[str]
    recipe: Recipe
    start: Path | None


def is_rank_0() -> bool:
    return bool(processes().is_main_process)


class OtherRanks:
    """The other processes, as rank 0 sees them; there may be none.

    As a context manager it lets them exit if no job was sent before the end of the block.
    """

    def __init__(self) -> None:
        self._waiting = processes().num_processes > 1

    def __enter__(self) -> OtherRanks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send(None)

    def broadcast_job(self, job: Job) -> None:
        """Send the job to all other ranks. Every rank takes part in one job, so a second call sends nothing."""
        self._send(job)

    def _send(self, job: Job | None) -> None:
        if self._waiting:
            broadcast_object_list([job])
        self._waiting = False


def receive_job() -> Job | None:
    """Wait for rank 0's job; ``None`` if rank 0 ends without one."""
    received: list[Job | None] = [None]
    broadcast_object_list(received)
    return received[0]
