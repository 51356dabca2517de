"""Unlabelled tasks without regions from the model because their text could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from backend.conversion import count


@dataclass(slots=True)
class UnreadTexts:
    """Numbers of tasks whose text could not be read when ``version`` predicted them, with an example of each.

    ``empty`` tasks have an empty prediction, since their text is not to be had. ``delayed`` tasks have none: their text
    did not arrive, and the next sync tries again. As JSON in ``projects.unread_texts``.
    """

    version: str
    empty: int = 0
    empty_example: str = ""
    delayed: int = 0
    delayed_example: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> UnreadTexts | None:
        """Read what `to_dict` returned."""
        return cls(**values) if values else None

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)

    def note(self, task: int, reason: str, *, is_delayed: bool) -> None:
        """Count a task; the first one of each kind is the example."""
        example = f"Task {task}: {reason}"
        if is_delayed:
            self.delayed += 1
            self.delayed_example = self.delayed_example or example
        else:
            self.empty += 1
            self.empty_example = self.empty_example or example

    def after(self, earlier: UnreadTexts | None) -> UnreadTexts:
        """The state after this sync: empty predictions of ``earlier`` ones of the same version are still there."""
        if earlier is None or earlier.version != self.version:
            return self
        example = earlier.empty_example or self.empty_example
        return UnreadTexts(self.version, earlier.empty + self.empty, example, self.delayed, self.delayed_example)

    @property
    def sentences(self) -> list[str]:
        """What is missing, why, and when it is tried again."""
        sentences = []
        if self.empty:
            tasks = f"{count(self.empty, 'unlabelled task')} got an empty prediction of {self.version}"
            sentences.append(f"{tasks}, because the text cannot be read. {self.empty_example}")
        if self.delayed:
            tasks = f"{count(self.delayed, 'unlabelled task')} got no prediction of {self.version}"
            again = "The next sync tries again; `python -m backend preannotate` starts one."
            sentences.append(f"{tasks}, because the text did not arrive. {self.delayed_example} {again}")
        return sentences
