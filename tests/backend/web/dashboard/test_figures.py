from __future__ import annotations

import pytest
from markupsafe import Markup

from backend.evaluation.evaluate import score
from backend.evaluation.learning_curve import Point, forecast
from backend.store.models import Version
from backend.web.dashboard import formatting
from backend.web.dashboard.charts import Bar, bar, drawn_bars, learning_chart, versions_chart
from backend.web.dashboard.figures import Mistake, bars, chart_sentences, matrix, mistakes, score_of

GOLD = [["B-Dish", "I-Dish", "O"], ["B-Price", "O", "B-Dish"], ["O", "B-Hours", "O"]]
PREDICTED = [["B-Dish", "O", "O"], ["B-Dish", "O", "B-Dish"], ["B-Price", "O", "O"]]
METRICS = score(GOLD, PREDICTED).to_dict()


def version(**metrics: object) -> Version:
    return Version(project="7.1", number=1, name="ner-v1", run="r", labels=["Dish"], metrics=metrics)


def test_matrix_counts_what_each_entity_was_predicted_as() -> None:
    confusion_matrix = matrix(METRICS)
    assert confusion_matrix is not None
    assert confusion_matrix.labels == ("Dish", "Hours", "Price")
    table = {label: [cell.count for cell in cells] for label, cells in confusion_matrix.rows}
    assert table == {"Dish": [1, 0, 0, 1, 0], "Hours": [0, 0, 0, 0, 1], "Price": [1, 0, 0, 0, 0]}
    assert [cell.count for cell in confusion_matrix.spurious] == [0, 0, 1]
    assert [cell.correct for cell in confusion_matrix.rows[1][1]] == [False, True, False, False, False]


def test_matrix_of_many_labels_is_not_drawn() -> None:
    gold = [[f"B-L{number}"] for number in range(13)]
    assert matrix(score(gold[:12], gold[:12]).to_dict()) is not None
    assert matrix(score(gold, gold).to_dict()) is None


def test_mistakes_are_listed_by_kind_the_most_frequent_first() -> None:
    metrics = score([*GOLD, ["B-Hours"]], [*PREDICTED, ["O"]]).to_dict()
    assert mistakes(metrics) == [
        Mistake("Hours", "missed", None, 2, 2),
        Mistake("Price", "marked as", "Dish", 1, 1),
        Mistake("Dish", "marked with other boundaries", None, 1, 2),
        Mistake(None, "marked as", "Price", 1),
    ]


def test_metrics_of_older_releases_may_hold_less() -> None:
    for metrics in (
        {},
        {"f1": 0.5},
        {"f1": 0.5, "per_label": {}},
        {"confusion": None, "per_label": METRICS["per_label"]},
    ):
        assert matrix(metrics) is None
        assert mistakes(metrics) == []
    assert score_of(version(f1=0.5)).interval is None


def test_version_with_an_unknown_score_has_no_bar() -> None:
    assert score_of(version(f1=1.0, support=0)).f1 is None
    assert bars([version(f1=1.0, support=0), version()], None) == []


def test_charts_contain_their_numbers_and_escape_text() -> None:
    drawn = versions_chart([Bar("<b>", 0.5, None, True), Bar("ner-v2", 1.0, (0.9, 1.0), False)], title='"<b>')
    assert isinstance(drawn, Markup)
    assert "<b>" not in drawn
    assert "ner-v2: F1 1.000" in drawn
    points = [Point(f"ner-v{n}", n * 50, 0.5 + n / 20, None) for n in range(1, 5)]
    drawn = learning_chart(points, forecast(points), title="F1")
    assert "ner-v4: 200 tasks, F1 0.700" in drawn
    assert "script" not in drawn


def test_charts_of_one_point_and_of_extremes_are_drawn() -> None:
    for f1 in (0.0, 0.5, 1.0):
        assert "circle" in versions_chart([Bar("ner-v1", f1, None, True)], title="F1")
        assert "circle" in learning_chart([Point("ner-v1", 0, f1)], forecast([]), title="F1")
    assert 'width="100.0%"' in bar(2.0) or 'width="100%"' in bar(2.0)
    many = versions_chart([Bar(f"ner-v{n}", 0.5, None, False) for n in range(1, 200)], title="F1")
    assert many.count("<circle") == 20


def history(count: int, *, current: int | None) -> list[Bar]:
    return [Bar(f"ner-v{number}", 0.5, None, number == current) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("current", "first", "number"), [(41, "ner-v22", 20), (22, "ner-v22", 20), (3, "ner-v3", 21), (None, "ner-v22", 20)]
)
def test_the_current_version_is_drawn_however_old(current: int | None, first: str, number: int) -> None:
    drawn = drawn_bars(history(41, current=current))
    assert [drawn[0].version, drawn[-1].version, len(drawn)] == [first, "ner-v41", number]
    chart = versions_chart(history(41, current=current), title="F1")
    assert chart.count('class="measured current"') == (current is not None)
    assert (f">{first.removeprefix('ner-')}<" in chart) == (current == 3)


SAME, FILLED = "All are scored on the same held-out tasks.", "The filled dot is the current version."


@pytest.mark.parametrize(
    ("scored", "versions", "current", "sentences"),
    [
        (20, 20, 20, f"{SAME} {FILLED}"),
        (41, 41, 41, f"{SAME} {FILLED} The newest 20 of 41 versions are drawn."),
        (41, 41, 3, f"{SAME} {FILLED} The newest 20 of 41 versions are drawn, and the current one before them."),
        (21, 21, 1, f"{SAME} {FILLED}"),
        (
            21,
            22,
            21,
            f"{SAME} {FILLED} 1 version is left out: the files were removed, or the score on these tasks is unknown. "
            "The newest 20 of the 21 others are drawn.",
        ),
        (
            2,
            5,
            9,
            f"{SAME} ner-v9, the current version, is not drawn: its score on these tasks is unknown. "
            "2 other versions are left out: the files were removed, or the score on these tasks is unknown.",
        ),
        (2, 2, None, SAME),
    ],
)
def test_chart_says_which_versions_it_leaves_out(
    scored: int, versions: int, current: int | None, sentences: str
) -> None:
    name = f"ner-v{current}" if current else None
    assert chart_sentences(history(scored, current=current), versions=versions, current=name) == sentences


def test_numbers_and_times_as_people_write_them() -> None:
    assert [formatting.duration(seconds) for seconds in (0.2, 59, 61, 3600, 7500, 86400, 200000)] == [
        "1 s", "59 s", "1 min", "1 h", "2 h 5 min", "1 day", "2 days",
    ]  # fmt: skip
    assert [formatting.ago(0, seconds) for seconds in (0, 59, 60, 7200, 86400 * 3)] == [
        "just now", "just now", "1 min ago", "2 h ago", "3 days ago",
    ]  # fmt: skip
    assert (formatting.left(None), formatting.left(90)) == ("", "about 2 min left")
    assert (formatting.moment(0), formatting.iso(0)) == ("1 Jan 1970, 00:00 UTC", "1970-01-01T00:00:00+00:00")
