"""Which label of a project each type of entity of an imported model gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from backend.errors import UnusableModel
from label_config import LabelConfig

_SYNONYMS = (
    frozenset({"per", "pers", "person"}),
    frozenset({"org", "organization", "organisation"}),
    frozenset({"loc", "location"}),
    frozenset({"misc", "miscellaneous"}),
)
"""Names of the same type in the usual corpora. Types that corpora draw differently (GPE, LOC, FAC) are no synonyms."""


def map_types(types: Sequence[str], config: LabelConfig, given: Mapping[str, str]) -> dict[str, str | None]:
    """The label of each type, ``None`` where the project has none.

    ``given`` comes first (type to label, value or alias), then a label of that name, value, alias or predicted value,
    then these in another case or with other separators, and at last their usual synonyms, if only one label fits.
    Raises `UnusableModel` where ``given`` names what does not exist, or no type has a label.
    """
    mapped = {name: _given(name, given[name], types, config) for name in given}
    labels = {name: mapped[name] if name in mapped else _label_of(name, config) for name in types}
    if not any(labels.values()):
        raise UnusableModel(
            f"None of the model's types of entities ({', '.join(types)}) is a label of the project "
            f"({', '.join(config.labels)}): say which is which with --map, for example --map "
            f"{types[0]}={config.labels[0]}."
        )
    return labels


def _given(name: str, new: str, types: Sequence[str], config: LabelConfig) -> str:
    if name not in types:
        raise UnusableModel(f"The model has no type of entity {name!r}: its types are {', '.join(types)}.")
    label = config.label_named(new)
    if label is None:
        raise UnusableModel(f"The project has no label {new!r} for {name}: its labels are {', '.join(config.labels)}.")
    return label


def _label_of(name: str, config: LabelConfig) -> str | None:
    if label := config.resolve(name):
        return label
    words = {_plain(name)}.union(*(group for group in _SYNONYMS if _plain(name) in group))
    fitting = [label for label in config.labels if _plain(label) in words]
    return fitting[0] if len(fitting) == 1 else None


def _plain(name: str) -> str:
    """In lower case and without separators: ``Restaurant_Name`` and ``restaurant name`` are the same."""
    return re.sub(r"[\W_]+", "", name.casefold())
