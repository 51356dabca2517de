"""The labels that a project has renamed: annotations with an old label are read as having the new one."""

from __future__ import annotations

from dataclasses import dataclass

from backend.errors import UnusableMapping
from backend.store.models import Project
from label_config import LabelConfig, UnsupportedLabelConfig


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """``old`` is read as ``new``, or is not, for the reason ``ignored``.

    ``is_removable`` is false for a mapping of the extra params in Label Studio.
    """

    old: str
    new: str
    ignored: str | None
    is_removable: bool

    @property
    def sentence(self) -> str:
        """Without a full stop."""
        if self.ignored is None:
            return f"{self.old} is read as {self.new}"
        return f"{self.old} is not read as {self.new}, because {self.ignored}"


def label_mappings(project: Project) -> list[LabelMapping]:
    """A project's mappings, in the order they were given."""
    try:
        config = LabelConfig.from_xml(project.label_config)
    except UnsupportedLabelConfig:
        config = None
    own = project.label_map or {}
    return [
        LabelMapping(old, new, _why_ignored(config, old, new), old in own)
        for old, new in project.renamed_labels.items()
    ]


def changed_label_map(project: Project, old: str, new: str | None) -> dict[str, str]:
    """The project's ``label_map`` with ``old`` read as ``new``, or without ``old`` where ``new`` is ``None``.

    Raises `UnusableMapping` if ``new`` is not a label of the configuration or ``old`` is one, and if there is no
    mapping to remove; ``UnsupportedLabelConfig``.
    """
    label_map = dict(project.label_map or {})
    if new is not None:
        return label_map | {old: check_mapping(LabelConfig.from_xml(project.label_config), old, new)}
    if old not in label_map and old in project.renamed_labels:
        raise UnusableMapping(
            f"Label {old!r} is mapped in the extra params of the ML backend in Label Studio: remove it there."
        )
    if old not in label_map:
        names = ", ".join(label_map) or "none"
        raise UnusableMapping(f"Label {old!r} is not mapped; mapped labels: {names}.")
    del label_map[old]
    return label_map


def check_mapping(config: LabelConfig, old: str, new: str) -> str:
    """The name in results of the label ``new``; raises `UnusableMapping` if ``old`` cannot be read as it."""
    try:
        return config.target_of(old, new)
    except ValueError as error:
        raise UnusableMapping(str(error)) from None


def _why_ignored(config: LabelConfig | None, old: str, new: str) -> str | None:
    if config is None:
        return "the configuration is not supported"
    if any(text.label_named(old) is not None for text in config.texts):
        return f"the configuration has a label {old}"
    return None if new in config.labels else f"the configuration has no label {new}"
