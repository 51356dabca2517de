from __future__ import annotations

from collections.abc import Sequence

import pytest

from converters.report import ConversionReport, Problem


@pytest.mark.parametrize(
    ("tasks", "kept"),
    [
        (["1", "1", "2"], ["1", "1", "2"]),
        (["1"] * 30 + ["2", "3"], ["1"] * 18 + ["2", "3"]),
        ([str(number // 2) for number in range(100)], [str(number) for number in range(20)]),
        ([str(number) for number in range(30)], [str(number) for number in range(20)]),
    ],
    ids=["few", "one task repeated", "two of each task", "one of each task"],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_examples_are_of_as_many_tasks_as_there_are(tasks: Sequence[str], kept: Sequence[str], parts: int) -> None:
    report = ConversionReport()
    for part in range(parts):
        later = ConversionReport()
        for task in tasks[part * len(tasks) // parts : (part + 1) * len(tasks) // parts]:
            later.note(Problem.OVERLAP, task, "Dish")
        report.add(later)
    assert [issue.task for issue in report.examples(Problem.OVERLAP)] == kept
    assert report.problems() == {Problem.OVERLAP: len(tasks)}
