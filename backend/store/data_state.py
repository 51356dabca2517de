"""The state of a project's data: what the labelled tasks hold, as the latest run has read them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from backend.store.database import Database
from backend.store.models import DataStateRow


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many ``regions`` have a label, in how many ``tasks``; ``held_out`` of the regions are for scoring only."""

    label: str
    regions: int
    held_out: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Annotator:
    """A person's name, and the number of tasks that the person has labelled."""

    name: str
    tasks: int


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How often the same words have a label, and some of the tasks."""

    label: str
    count: int
    tasks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class MixedWords:
    """The same words with different labels, the most frequent label first."""

    words: str
    uses: Sequence[LabelUse]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Tasks with the same text: how many, some of them, and whether they are labelled differently."""

    excerpt: str
    count: int
    tasks: Sequence[str]
    differs: bool


@dataclass(frozen=True, slots=True)
class DataState:
    """What a project's labelled tasks hold; as JSON in ``data_states.state``. Lists of examples are bounded.

    ``labels`` and ``annotators`` are by frequency. ``shared`` tasks were labelled by several people. ``empty`` tasks
    have no text, ``unmarked`` ones have a text without any region. Each of the ``duplicate_texts`` is that of several
    tasks, ``duplicate_tasks`` in total; ``differing_texts`` of them are not labelled the same everywhere. ``leaked`` is
    the number of held-out tasks whose text is also trained on. ``mixed_words`` words have several labels; ``mixed`` are
    those that are most probably mistakes.
    """

    tasks: int = 0
    labels: Sequence[LabelCount] = ()
    annotators: Sequence[Annotator] = ()
    more_annotators: int = 0
    shared: int = 0
    empty: int = 0
    empty_tasks: Sequence[str] = ()
    unmarked: int = 0
    unmarked_tasks: Sequence[str] = ()
    duplicate_texts: int = 0
    duplicate_tasks: int = 0
    differing_texts: int = 0
    leaked: int = 0
    duplicates: Sequence[Duplicate] = ()
    mixed_words: int = 0
    mixed: Sequence[MixedWords] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataState:
        """Read what `to_dict` returned."""
        lists = {
            "labels": [LabelCount(**row) for row in values["labels"]],
            "annotators": [Annotator(**row) for row in values["annotators"]],
            "duplicates": [Duplicate(**row) for row in values["duplicates"]],
            "mixed": [MixedWords(row["words"], [LabelUse(**use) for use in row["uses"]]) for row in values["mixed"]],
        }
        return cls(**{**values, **lists})

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


class DataStates:
    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, uid: str, run: str, state: DataState) -> None:
        """Store the state that a run has read, in place of an earlier one."""
        values = {"run": run, "state": state.to_dict(), "taken_at": time.time()}
        statement = self._database.insert(DataStateRow).values(project=uid, **values)
        with self._database.write() as session:
            session.execute(statement.on_conflict_do_update(index_elements=["project"], set_=values))

    def get(self, uid: str) -> tuple[DataState, float] | None:
        """The latest state, and when it was read; ``None`` before the first run has read the labels."""
        with self._database.read() as session:
            row = session.get(DataStateRow, uid)
        return (DataState.from_dict(row.state), row.taken_at) if row else None
