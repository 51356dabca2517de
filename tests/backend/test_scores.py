from __future__ import annotations

from typing import Any

import pytest

from backend.scores import f1_in_words


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({}, "F1 unknown: no held-out task has regions"),
        ({"f1": 1.0, "support": 0, "documents": 40}, "F1 unknown: no held-out task has regions"),
        ({"f1": 0.5}, "F1 0.500"),
        ({"f1": 0.5, "support": 3, "documents": 1}, "F1 0.500 (measured on only 1 held-out task: too few to say more)"),
        (
            {"f1": 0.5, "support": 60, "documents": 29, "intervals": None},
            "F1 0.500 (measured on only 29 held-out tasks: too few to say more)",
        ),
        # of an older release, which gave no intervals
        ({"f1": 0.5, "support": 90, "documents": 30}, "F1 0.500 on 30 held-out tasks"),
        ({"f1": 0.5, "support": 9, "documents": 30, "intervals": {"f1": None}}, "F1 0.500 on 30 held-out tasks"),
        (
            {"f1": 0.8056, "support": 2400, "documents": 1200, "intervals": {"f1": [0.7521, 0.853]}},
            "F1 0.806 (95 %: 0.752 to 0.853) on 1,200 held-out tasks",
        ),
    ],
)
def test_score_is_told_with_how_far_it_can_be_trusted(metrics: dict[str, Any], words: str) -> None:
    assert f1_in_words(metrics) == words
