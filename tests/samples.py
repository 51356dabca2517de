"""Small synthetic documents about restaurants, with regions marked inline as ``[text|Label]``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from converters.conll import write_conll
from converters.document import Document, Span
from converters.tagged import TaggedDocument, tag_document

LABELS = ("Dish", "Cuisine", "Location")

_DISHES = ("pad thai", "ramen", "chicken tikka masala", "lobster roll", "pizza", "tacos al pastor", "sushi", "falafel")
_CUISINES = ("Thai", "Japanese", "Indian", "New England", "Italian", "Mexican", "Greek", "Middle Eastern")
_PLACES = ("downtown", "near Harvard Square", "in Boston", "on Main Street", "by the harbor", "in the North End")

_PATTERNS = (
    "Where can I get good [{dish}|Dish] [{place}|Location]?",
    "Is there a [{cuisine}|Cuisine] restaurant [{place}|Location]",
    "We ordered the [{dish}|Dish] and the [{other}|Dish].",
    "find me some [{cuisine}|Cuisine] food",
    "Who makes the best [{dish}|Dish] for kids?",
    "a quiet [{cuisine}|Cuisine] place [{place}|Location], not too expensive",
    "please book a table for four at eight",
)

_REGION = re.compile(r"\[([^|\]]+)\|([^|\]]+)\]")


def marked(text: str, *, id: str = "1") -> Document:
    """A document from text with regions marked inline: ``marked("in [Boston|Location]")``."""
    plain, spans, at = "", [], 0
    for region in _REGION.finditer(text):
        plain += text[at : region.start()]
        spans.append(Span(len(plain), len(plain) + len(region[1]), region[2]))
        plain += region[1]
        at = region.end()
    return Document(id=id, text=plain + text[at:], spans=tuple(spans))


def tagged(text: str, *, id: str = "1") -> TaggedDocument:
    """The same document, tagged."""
    return tag_document(marked(text, id=id))


def documents(count: int = 60) -> list[Document]:
    """Sentences that repeat a few patterns, so that a model learns them within seconds; ids are ``"1"``, ``"2"``, …"""
    return [
        marked(
            _PATTERNS[number % len(_PATTERNS)].format(
                dish=_DISHES[number % len(_DISHES)],
                other=_DISHES[(number * 3 + 1) % len(_DISHES)],
                cuisine=_CUISINES[(number // 2) % len(_CUISINES)],
                place=_PLACES[(number // 3) % len(_PLACES)],
            ),
            id=str(number + 1),
        )
        for number in range(count)
    ]


def write_corpus(file: Path, texts: Sequence[Document]) -> str:
    """Write documents as a CoNLL file with its sidecar; return the file's name."""
    with file.open("w", encoding="utf-8") as rows, file.with_name(f"{file.name}.jsonl").open("w") as sidecar:
        write_conll(texts, rows, sidecar=sidecar)
    return str(file)


def tagged_documents(count: int = 60) -> list[TaggedDocument]:
    return [tag_document(document) for document in documents(count)]


ODD_TEXTS = {
    "empty": "",
    "whitespace": " \t\n\r\n\u00a0\u3000 ",
    "control characters": "\x00\x01 Thai \x7f food \x1b[31m",
    "invisible": "\u200b \u200d \ufeff",
    "lone surrogate": "good \ud83c pad thai \udfff",
    "emoji before": "🍣🍕👨‍👩‍👧 great pad thai in Boston",
    "combining": "cafe\u0301 e\u0301\u0301\u0301\u0301 ramen",
    "right to left": "مطعم \u202eThai\u202c طيب",
    "no spaces": "a" * 1_000_000,
    "punctuation": "!?…" * 500,
    "chinese": "我想吃泰国菜" * 200,
    "crlf": "find\r\nThai\r\nfood",
}
