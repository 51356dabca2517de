from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from backend.training.base_model.encoder import load_classifier
from backend.training.fine_tuning.examples import IGNORED, Collator, make_examples
from converters import Document, Span, tag_document
from tests.samples import LABELS, tagged


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_classifier("embedded", LABELS)[1]


def test_first_piece_carries_the_tag(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = make_examples([tagged("try [chicken tikka|Dish] now")], labels=LABELS, tokenizer=tokenizer)
    (item,) = examples.items
    pieces = tokenizer.convert_ids_to_tokens(item["input_ids"])
    assert pieces == ["[CLS]", "try", "chicken", "ti", "##kka", "now", "[SEP]"]
    assert item["labels"] == [IGNORED, 0, 1, 2, IGNORED, 0, IGNORED]
    assert examples.gold[0].tolist() == [0, 1, 2, 0]


def test_span_inside_a_word_splits_it(tokenizer: PreTrainedTokenizerFast) -> None:
    (item,) = make_examples([tagged("[Thai|Cuisine]food")], labels=LABELS, tokenizer=tokenizer).items
    assert tokenizer.convert_ids_to_tokens(item["input_ids"]) == ["[CLS]", "thai", "food", "[SEP]"]
    assert item["labels"] == [IGNORED, 3, 0, IGNORED]


def test_each_word_of_a_long_document_is_learnt_once(tokenizer: PreTrainedTokenizerFast) -> None:
    document = tagged(" ".join(["find [Thai|Cuisine] food in [Boston|Location]"] * 400))
    examples = make_examples([document], labels=LABELS, tokenizer=tokenizer)
    assert len(examples.items) > 3
    assert max(len(item["input_ids"]) for item in examples.items) <= 512
    learnt = [label for item in examples.items for label in item["labels"] if label != IGNORED]
    assert learnt == [0, 3, 0, 0, 5] * 400


def test_document_without_words_makes_no_example(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = make_examples([tagged(""), tagged(" \n")], labels=LABELS, tokenizer=tokenizer)
    assert examples.items == []
    assert [tags.tolist() for tags in examples.gold] == [[], []]


def test_batch_is_padded_to_its_longest() -> None:
    batch = Collator(pad_id=9)(
        [{"input_ids": [1, 2, 3], "labels": [0, 1, 2]}, {"input_ids": [4], "labels": [5]}],
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[0, 1, 2], [5, IGNORED, IGNORED]]


def test_word_of_unknown_tag_is_not_learnt(tokenizer: PreTrainedTokenizerFast) -> None:
    document = Document("1", "try ramen in Rome", (Span(4, 9, "Dish"),), unreadable=(Span(13, 17, "City"),))
    examples = make_examples([tag_document(document)], labels=LABELS, tokenizer=tokenizer)
    assert [label for label in examples.items[0]["labels"] if label != IGNORED] == [0, 1, 0]
    assert examples.gold[0].tolist() == [0, 1, 0, IGNORED]


def test_text_that_offers_some_labels_names_their_tags(tokenizer: PreTrainedTokenizerFast) -> None:
    document = tag_document(Document("1", "ramen", (Span(0, 5, "Dish"),), labels=("Dish",)))
    examples = make_examples([document, tagged("ramen")], labels=LABELS, tokenizer=tokenizer)
    assert examples.items[0]["allowed"] == [True, True, True] + [False] * (2 * len(LABELS) - 2)
    batch = Collator(pad_id=0)(examples.items)
    assert batch["allowed"].shape == (2, 1, 2 * len(LABELS) + 1)
    assert batch["allowed"][1].all()
    assert "allowed" not in Collator(pad_id=0)(examples.items[1:])
