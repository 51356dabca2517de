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


def version(
    name: str, *, run: str | None = "r", scored_in: str = "c", labels: tuple[str, ...] = ("Dish",), **metrics: object
) -> Version:
    return Version(
        project="7.1", number=1, name=name, run=run, scored_in=scored_in, labels=list(labels), metrics=metrics
    )


@pytest.mark.parametrize(("a", "b", "c"), [(0.92, 2.0, 0.5), (0.95, 1.5, 0.3), (0.9, 5.0, 0.8)])
def test_number_of_tasks_is_that_of_the_curve_the_points_lie_on(a: float, b: float, c: float) -> None:
    result = forecast(curve(50, 100, 200, 400, 800, a=a, b=b, c=c, half=0.002))
    now = a - b * 800**-c
    truth = (b / (a - now - 0.01)) ** (1 / c) - 800
    assert result.more is not None
    assert result.more == pytest.approx(truth, rel=0.15)
    assert result.range is not None
    assert result.range[0] <= truth * 1.05
    assert result.range[1] >= truth * 0.95
    assert result.sentence.startswith(f"About {result.more:,} more tasks raise F1 by one point")


@pytest.mark.parametrize("sizes", [(), (50,), (50, 50), (50, 100), (50, 100, 100)])
def test_fewer_than_three_sizes_give_no_forecast(sizes: tuple[int, ...]) -> None:
    result = forecast(curve(*sizes, a=0.9, b=2, c=0.5))
    assert (result.more, result.line) == (None, ())
    assert "three different numbers of tasks" in result.sentence


def test_sizes_too_close_together_give_no_forecast() -> None:
    result = forecast(curve(100, 110, 120, a=0.9, b=2, c=0.5))
    assert (result.more, result.line) == (None, ())
    assert "from 150 tasks on" in result.sentence


def test_flat_curve_gives_no_number() -> None:
    result = forecast(curve(100, 200, 400, 900, a=0.8, b=0.0001, c=0.5))
    assert result.more is None
    assert "has flattened" in result.sentence
    assert "1,800" in result.sentence
    assert result.line


@pytest.mark.parametrize(
    ("sizes", "half"),
    [
        pytest.param((20, 40, 80), 0.002, id="young project"),
        pytest.param((100, 200, 499), 0.002, id="one task short"),
        pytest.param((100, 200, 900), 0.04, id="wide intervals"),
    ],
)
def test_young_or_imprecise_curve_is_not_called_flat(sizes: tuple[int, ...], half: float) -> None:
    result = forecast(curve(*sizes, a=0.8, b=0.0001, c=0.5, half=half))
    assert result.more is None
    assert "flattened" not in result.sentence
    assert result.sentence.endswith("Keep labelling.")


def test_curve_that_still_grows_is_hardly_ever_called_flat() -> None:
    """500 further tasks raise F1 by two points here, and the scores vary by as much."""
    generator = random.Random(7)
    truth = curve(100, 200, 400, 600, a=0.88, b=3, c=0.6)
    flat = 0
    for _ in range(40):
        measured = [(point, point.f1 + generator.gauss(0, 0.015)) for point in truth]
        result = forecast([Point(point.version, point.documents, f1, (f1 - 0.03, f1 + 0.03)) for point, f1 in measured])
        flat += "flattened" in result.sentence
    assert flat <= 1


def test_scores_that_vary_too_much_give_no_number() -> None:
    varying = [Point(f"v{n}", n, f1, (f1 - 0.02, f1 + 0.02)) for n, f1 in [(20, 0.5), (60, 0.3), (100, 0.8)]]
    result = forecast(varying)
    assert result.more is None
    assert "too uncertain" in result.sentence


def test_wide_intervals_give_no_number_where_narrow_ones_do() -> None:
    assert forecast(curve(100, 200, 400, a=0.86, b=1, c=0.5, half=0.003)).more is not None
    assert forecast(curve(100, 200, 400, a=0.86, b=1, c=0.5, half=0.2)).more is None


def test_line_extrapolates_by_half_and_stays_in_range() -> None:
    result = forecast(curve(10, 40, 90, a=0.99, b=3, c=0.9, half=0.01))
    assert (result.line[0][0], result.line[-1][0]) == (10, 135)
    assert all(0 <= f1 <= 1 for _, f1 in result.line)


def test_any_scores_have_a_forecast() -> None:
    generator = random.Random(1)
    for _ in range(200):
        scores = [(generator.randint(0, 9000), generator.choice([0.0, 1.0, generator.random()])) for _ in range(6)]
        result = forecast([Point("v", n, f1, (f1, f1) if generator.random() < 0.5 else None) for n, f1 in scores])
        assert result.sentence.endswith(".")
        assert result.more is None or result.more > 0


def test_points_are_the_versions_with_a_known_score_and_the_labels_of_the_newest() -> None:
    versions = [
        version("ner-v8", run="c", f1=1.0, support=3, documents=2),
        version("ner-v7", run="c", f1=1.0, support=0, documents=40),
        version("ner-v6", run="c", f1=0.8, support=90, documents=40, intervals={"f1": [0.7, 0.9]}),
        version("ner-v5", run="unknown", f1=0.7),
        version("ner-v4", run=None, f1=0.7),
        version("ner-v3", run="b", f1=1.0, support=0),
        version("ner-v2", run="b", f1=0.6, documents=40, intervals=None),
        version("ner-v1", run="a", f1=0.9, labels=("Dish", "Price")),
        version("ner-v0", run="a", f1=1.0, scored_in="a"),
    ]
    assert points(versions, {"a": 10, "b": 20, "c": 30}) == [
        Point("ner-v2", 20, 0.6),
        Point("ner-v6", 30, 0.8, (0.7, 0.9)),
    ]


def test_versions_whose_score_is_unknown_are_no_points() -> None:
    unknown = [
        version("ner-v2", run="b", f1=1.0, support=0),
        version("ner-v1", run="a", f1=1.0, support=3, documents=2),
    ]
    assert points(unknown, {"a": 10, "b": 20}) == []
