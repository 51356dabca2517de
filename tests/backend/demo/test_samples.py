from __future__ import annotations

from collections import Counter

import pytest

from backend.demo.samples import Samples, as_tasks, load_samples, parse_query
from converters import Span, read_tasks, spans_to_tags
from label_config import LabelConfig, template


@pytest.fixture(scope="module")
def samples() -> Samples:
    return load_samples()


@pytest.fixture(scope="module")
def config() -> LabelConfig:
    return LabelConfig.from_xml(template("restaurant"))


def test_there_are_enough_queries_of_both_kinds(samples: Samples) -> None:
    assert len(samples.labelled) >= 250
    assert len(samples.unlabelled) >= 50


def test_no_query_occurs_twice(samples: Samples) -> None:
    texts = [document.text.lower() for document in samples.labelled + samples.unlabelled]
    assert len(set(texts)) == len(texts)


def test_every_label_of_the_template_occurs_often(samples: Samples, config: LabelConfig) -> None:
    counts = Counter(span.label for document in samples.labelled for span in document.spans)
    assert set(counts) == set(config.labels)
    assert min(counts.values()) >= 50


def test_every_span_survives_the_conversion_to_tags(samples: Samples) -> None:
    for document in samples.labelled + samples.unlabelled:
        assert spans_to_tags(document.text, document.spans).losses == ()


def test_a_marked_query_becomes_text_and_spans() -> None:
    document = parse_query("7", "a [cheap](Price) [sushi 🍣](Dish) bar")
    assert document.text == "a cheap sushi 🍣 bar"
    assert document.spans == (Span(2, 7, "Price"), Span(8, 15, "Dish"))


def test_tasks_read_back_as_the_documents_they_were_made_of(samples: Samples, config: LabelConfig) -> None:
    tasks = as_tasks(samples, config)
    assert len(tasks) == len(samples.labelled) + len(samples.unlabelled)
    documents, report = read_tasks(
        ({"id": number, "was_cancelled": False, **task} for number, task in enumerate(tasks)), config
    )
    assert [document.spans for document in documents] == [document.spans for document in samples.labelled]
    assert not report.issues
