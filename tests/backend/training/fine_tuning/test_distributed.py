from __future__ import annotations

from types import SimpleNamespace

import pytest

from backend.recipe import Recipe
from backend.training.fine_tuning import distributed as module
from backend.training.fine_tuning.distributed import Job, OtherRanks
from tests.samples import LABELS, tagged_documents

JOB = Job(tagged_documents(2), (), LABELS, Recipe(base="embedded"), None)


@pytest.fixture
def sent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[list[Job | None]]:
    """What one process, or rank 0 of two, broadcasts."""
    broadcasts: list[list[Job | None]] = []
    monkeypatch.setattr(module, "processes", lambda: SimpleNamespace(num_processes=request.param))
    monkeypatch.setattr(module, "broadcast_object_list", broadcasts.append)
    return broadcasts


@pytest.mark.parametrize("sent", [2], indirect=True)
def test_job_is_sent_once(sent: list[list[Job | None]]) -> None:
    with OtherRanks() as other_ranks:
        other_ranks.broadcast_job(JOB)
        other_ranks.broadcast_job(JOB)
    assert sent == [[JOB]]


@pytest.mark.parametrize("sent", [2], indirect=True)
def test_other_ranks_may_exit_if_the_run_fails_before_it_has_a_job(sent: list[list[Job | None]]) -> None:
    with pytest.raises(OSError, match="disk full"), OtherRanks():
        raise OSError("disk full")
    assert sent == [[None]]


@pytest.mark.parametrize("sent", [1], indirect=True)
def test_single_process_sends_nothing(sent: list[list[Job | None]]) -> None:
    with OtherRanks() as other_ranks:
        other_ranks.broadcast_job(JOB)
    assert sent == []
