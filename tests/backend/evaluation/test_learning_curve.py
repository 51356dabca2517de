from __future__ import annotations

import random

import pytest

from backend.evaluation.learning_curve import Point, forecast, points
from backend.store.models import Version


def curve(*sizes: int, a: float, b: float, c: float, half: float = 0.01) -> list[Point]:
    """Points exactly on a − b · n^−c."""
    scores = [a - b * size**-c for size in sizes]
    return [
        Point(f"ner-v{number}", size, f1, (f1 - half, f1 + half))
        for number, (size, f1) in enumerate(zip(sizes, scores, strict=True))
    ]


def version(name: str, *, run: str | None = "r", labels: tuple[str, ...] = ("Dish",), **metrics: object) -> Version:
    return Version(project="7.1", number=1, name=name, run=run, labels=list(labels), metrics=metrics)


@pytest.mark.parametrize(("a", "b", "c"), [(0.92, 2.0, 0.5), (0.95, 1.5, 0.3), (0.9, 5.0, 0.8)])
def test_number_of_tasks_is_that_of_the_curve_the_points_lie_on(a: float, b: float, c: float) -> None:
    seen = forecast(curve(50, 100, 200, 400, 800, a=a, b=b, c=c, half=0.002))
    now = a - b * 800**-c
    truth = (b / (a - now - 0.01)) ** (1 / c) - 800
    assert seen.more is not None
    assert seen.more == pytest.approx(truth, rel=0.15)
    assert seen.range is not None
    assert seen.range[0] <= truth * 1.05
    assert seen.range[1] >= truth * 0.95
    assert seen.sentence.startswith(f"About {seen.more:,} more tasks for one more point of F1")


@pytest.mark.parametrize("sizes", [(), (50,), (50, 50), (50, 100), (50, 100, 100)])
def test_fewer_than_three_sizes_tell_nothing(sizes: tuple[int, ...]) -> None:
    seen = forecast(curve(*sizes, a=0.9, b=2, c=0.5))
    assert (seen.more, seen.line) == (None, ())
    assert "three different numbers of tasks" in seen.sentence


def test_sizes_too_close_together_tell_nothing() -> None:
    seen = forecast(curve(100, 110, 120, a=0.9, b=2, c=0.5))
    assert (seen.more, seen.line) == (None, ())
    assert "From 150 tasks on" in seen.sentence


def test_a_flat_curve_promises_nothing() -> None:
    seen = forecast(curve(100, 200, 400, 900, a=0.8, b=0.0001, c=0.5))
    assert seen.more is None
    assert "has flattened" in seen.sentence
    assert "1,800" in seen.sentence
    assert seen.line


def test_scores_that_jump_about_promise_nothing() -> None:
    jumping = [Point(f"v{n}", n, f1, (f1 - 0.02, f1 + 0.02)) for n, f1 in [(20, 0.5), (60, 0.3), (100, 0.8)]]
    seen = forecast(jumping)
    assert seen.more is None
    assert "too uncertain" in seen.sentence


def test_wide_intervals_promise_nothing_where_narrow_ones_do() -> None:
    assert forecast(curve(100, 200, 400, a=0.86, b=1, c=0.5, half=0.003)).more is not None
    assert forecast(curve(100, 200, 400, a=0.86, b=1, c=0.5, half=0.2)).more is None


def test_line_reaches_half_as_far_again_and_stays_a_score() -> None:
    seen = forecast(curve(10, 40, 90, a=0.99, b=3, c=0.9, half=0.01))
    assert (seen.line[0][0], seen.line[-1][0]) == (10, 135)
    assert all(0 <= f1 <= 1 for _, f1 in seen.line)


def test_any_scores_are_survived() -> None:
    chance = random.Random(1)
    for _ in range(200):
        scores = [(chance.randint(0, 9000), chance.choice([0.0, 1.0, chance.random()])) for _ in range(6)]
        seen = forecast([Point("v", n, f1, (f1, f1) if chance.random() < 0.5 else None) for n, f1 in scores])
        assert seen.sentence.endswith(".")
        assert seen.more is None or seen.more > 0


def test_points_are_the_scored_versions_with_the_labels_of_the_newest() -> None:
    versions = [
        version("ner-v6", run="c", f1=0.8, intervals={"f1": [0.7, 0.9]}),
        version("ner-v5", run="unknown", f1=0.7),
        version("ner-v4", run=None, f1=0.7),
        version("ner-v3", run="b", f1=1.0, support=0),
        version("ner-v2", run="b", f1=0.6, intervals=None),
        version("ner-v1", run="a", f1=0.9, labels=("Dish", "Price")),
    ]
    found = points(versions, {"a": 10, "b": 20, "c": 30})
    assert found == [Point("ner-v2", 20, 0.6), Point("ner-v6", 30, 0.8, (0.7, 0.9))]
