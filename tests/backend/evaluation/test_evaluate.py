from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from backend.evaluation.evaluate import Metrics, evaluate, score
from backend.inference.tagger import OfferedLabels, Tagging
from converters.document import Document, Span
from converters.tagged import tag_document
from tests.samples import marked, tagged


class Answers:
    """A tagger with fixed answers."""

    labels = ("Dish", "Place")

    def __init__(self, *answers: tuple[Span, ...]) -> None:
        self._answers = answers

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]:
        assert len(texts) == len(self._answers)
        self.offered = labels
        return [Tagging(spans=spans, score=1.0) for spans in self._answers]


def evaluated(document: Document, *spans: Span) -> Metrics:
    metrics = evaluate(Answers(spans), [tag_document(document)])
    assert metrics is not None
    return metrics


def test_nothing_is_measured_on_no_documents() -> None:
    assert evaluate(Answers(), []) is None


def test_right_boundaries_and_label_count() -> None:
    document = marked("try [pad thai|Dish] in [Boston|Place]")
    metrics = evaluated(document, *document.spans)
    assert (metrics.precision, metrics.recall, metrics.f1, metrics.support) == (1.0, 1.0, 1.0, 2)
    assert metrics.per_label["Dish"].support == 1


@pytest.mark.parametrize(
    "wrong",
    [Span(4, 7, "Dish"), Span(4, 12, "Place"), Span(0, 12, "Dish")],
    ids=["too short", "other label", "too long"],
)
def test_almost_right_is_wrong(wrong: Span) -> None:
    metrics = evaluated(marked("try [pad thai|Dish]"), wrong)
    assert (metrics.precision, metrics.recall, metrics.f1) == (0.0, 0.0, 0.0)


def test_counts_are_over_all_documents() -> None:
    texts = ("try [ramen|Dish]", "in [Boston|Place] or [Paris|Place]")
    documents = [tagged(text, id=text) for text in texts]
    answers = Answers((Span(4, 9, "Dish"),), (Span(3, 9, "Place"), Span(0, 2, "Dish")))
    metrics = evaluate(answers, documents)
    assert metrics is not None
    assert metrics.precision == pytest.approx(2 / 3)
    assert metrics.recall == pytest.approx(2 / 3)
    assert metrics.documents == 2
    assert metrics.support == 3
    assert metrics.per_label["Place"].recall == 0.5
    assert metrics.per_label["Dish"].precision == 0.5


def test_gold_span_inside_a_word_is_missed_and_does_not_break_the_others() -> None:
    metrics = evaluated(marked("[Thai|Dish]food in [Boston|Place]"), Span(0, 8, "Dish"), Span(12, 18, "Place"))
    assert (metrics.precision, metrics.recall) == (0.5, 0.5)


def test_nothing_to_find_and_nothing_found_is_right() -> None:
    metrics = evaluated(marked("no entity"))
    assert (metrics.f1, metrics.support, metrics.per_label) == (1.0, 0, {})
    assert evaluated(Document("1", "")).f1 == 1.0


def test_something_found_where_nothing_is_counts_against_it() -> None:
    metrics = evaluated(marked("no entity"), Span(3, 9, "Dish"))
    assert (metrics.precision, metrics.f1, metrics.support) == (0.0, 0.0, 0)


@pytest.mark.parametrize("label", ["-", "micro avg", "A-B", "-A", "B-", "é 🍣"])
def test_any_label_is_counted_under_its_own_name(label: str) -> None:
    gold = [[f"B-{label}", f"I-{label}", "O", "B-A"]]
    metrics = score(gold, [[f"B-{label}", f"I-{label}", "O", "O"]])
    assert set(metrics.per_label) == {label, "A"}
    assert metrics.per_label[label].f1 == 1.0
    assert metrics.f1 == pytest.approx(2 / 3)


def test_metrics_are_plain_numbers() -> None:
    document = marked("try [ramen|Dish]")
    assert evaluated(document, *document.spans).to_dict() == {
        "documents": 1,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "support": 1,
        "predicted": 1,
        "intervals": None,
        "per_label": {
            "Dish": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1, "predicted": 1, "interval": None}
        },
        "confusion": {"found_as": {"Dish": {"Dish": 1}}, "boundaries": {}, "missed": {}, "spurious": {}},
    }


def of_many(documents: int) -> Metrics:
    """Every third document has a dish that is missed; one document has a place."""
    gold = [["B-Dish", "O", "B-Dish"], ["B-Dish"], ["B-Dish"]] * (documents // 3)
    predicted = [["B-Dish", "O", "O"], ["B-Dish"], ["B-Dish"]] * (documents // 3)
    gold[0], predicted[0] = ["B-Place"], ["B-Place"]
    return score(gold, predicted)


def test_intervals_surround_their_scores() -> None:
    metrics = of_many(60)
    intervals = metrics.intervals
    assert intervals is not None
    assert intervals.f1 is not None
    assert intervals.recall is not None
    assert intervals.precision == pytest.approx((0.025 ** (1 / 60), 1.0))
    assert metrics.f1 - 0.06 < intervals.f1[0] < metrics.f1 - 0.02
    assert metrics.f1 + 0.02 < intervals.f1[1] < metrics.f1 + 0.06
    assert intervals.recall[0] < metrics.recall < intervals.recall[1]


def test_rare_label_has_no_interval() -> None:
    intervals = of_many(60).intervals
    assert intervals is not None
    assert intervals.per_label["Place"] is None
    assert intervals.per_label["Dish"] is not None


@pytest.mark.parametrize(("documents", "given"), [(27, False), (30, True)])
def test_few_documents_have_no_intervals(documents: int, given: bool) -> None:
    metrics = of_many(documents)
    written = metrics.to_dict()
    assert (metrics.intervals is not None) is given
    assert (written["intervals"] is not None) is given
    assert (written["per_label"]["Dish"]["interval"] is not None) is given


def test_metrics_with_intervals_survive_json() -> None:
    written = of_many(60).to_dict()
    assert json.loads(json.dumps(written)) == written
    assert len(written["intervals"]["f1"]) == len(written["per_label"]["Dish"]["interval"]) == 2


def test_texts_of_a_task_are_one_document_with_the_labels_each_offers() -> None:
    title = Document("7", "ramen in Rome", (Span(0, 5, "Dish"),), text_name="title", labels=("Dish",))
    body = Document("7", "try Rome", (Span(4, 8, "Place"),), text_name="body", labels=("Dish", "Place"))
    answers = Answers((Span(0, 5, "Dish"),), (Span(4, 8, "Dish"),))
    metrics = evaluate(answers, [tag_document(title), tag_document(body)])
    assert metrics is not None
    assert (metrics.documents, metrics.support, metrics.precision, metrics.recall) == (1, 2, 0.5, 0.5)
    assert answers.offered == [("Dish",), ("Dish", "Place")]


def test_unreadable_region_counts_neither_for_nor_against_the_model() -> None:
    document = Document("1", "Ann saw Rome", (Span(8, 12, "Place"),), (Span(0, 3, "Person"),))
    metrics = evaluated(document, Span(0, 3, "Dish"), Span(8, 12, "Place"))
    assert (metrics.precision, metrics.recall, metrics.support) == (1.0, 1.0, 1)
    assert evaluated(document, Span(8, 12, "Place")).f1 == 1.0


def test_labels_are_compared_under_their_names_of_today() -> None:
    document = tag_document(Document("1", "ramen in Rome", (Span(0, 5, "Food"),)))
    answers = Answers((Span(0, 5, "Dish"), Span(9, 13, "Place")))
    metrics = evaluate(answers, [document], names={"Dish": "Food", "Place": None})
    assert metrics is not None
    assert (metrics.precision, metrics.recall, metrics.support) == (1.0, 1.0, 1)


def test_label_that_is_gone_is_not_made_another_one_where_a_text_offers_some_labels() -> None:
    document = tag_document(Document("1", "ramen in Rome", (Span(0, 5, "Food"),), labels=("Food",)))
    answers = Answers((Span(0, 5, "Dish"),))
    evaluate(answers, [document], names={"Dish": "Food", "Place": None})
    assert answers.offered == [("Dish", "Place")]
