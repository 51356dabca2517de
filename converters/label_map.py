"""The mappings of old labels to new ones on the command line: ``OLD=NEW``, where a label may have a ``=`` too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from converters.report import ConversionReport, Problem


def pairs(value: str) -> list[tuple[str, str]]:
    """The ways to split ``OLD=NEW``, the one at the last ``=`` first; none if there is no mapping in it."""
    places = [place for place, character in enumerate(value) if character == "=" and 0 < place < len(value) - 1]
    return [(value[:place], value[place + 1 :]) for place in reversed(places)]


def split_pairs(values: Sequence[str], fits: Callable[[str, str], bool]) -> list[tuple[str, str]]:
    """Split mappings: where there is a choice, as it ``fits`` the labels, or else at the last ``=``."""
    choices = [pairs(value) for value in values]
    return [next((pair for pair in choice if len(choice) > 1 and fits(*pair)), choice[0]) for choice in choices]


def notes(given: Sequence[tuple[str, str]], report: ConversionReport) -> list[str]:
    """What a conversion made of the mappings, where that is nothing, or not what was given: a sentence for each."""
    renamed: Mapping[str, str] = dict(given)
    twice = [old for old in renamed if len({new for other, new in given if other == old}) > 1]
    said = [f"--map-label gives {old!r} more than once: {renamed[old]!r}, the last, was used." for old in twice]
    issues = [issue for issue in report.issues if issue.problem is Problem.RENAMED_LABEL]
    if len(issues) < report.problems().get(Problem.RENAMED_LABEL, 0):
        return said
    read = {issue.detail for issue in issues}
    unused = [old for old in renamed if not any(detail.startswith(f"{old} is read as ") for detail in read)]
    return [*said, *(f"No region that was read has the label {old!r} of --map-label." for old in unused)]
