"""Pure text work: spans, BIO words, CoNLL files and Label Studio JSON, each turned into the others."""

from converters.bio import (
    OUTSIDE,
    Loss,
    Tagged,
    is_legal,
    repair,
    spans_to_tags,
    split_tag,
    starts,
    tag_set,
    tags_to_spans,
    transitions,
)
from converters.conll import write_conll
from converters.document import Document, Span, Word
from converters.label_studio import read_tasks, regions, task_text
from converters.report import ConversionReport, Issue, Problem
from converters.words import words

__all__ = [
    "OUTSIDE",
    "ConversionReport",
    "Document",
    "Issue",
    "Loss",
    "Problem",
    "Span",
    "Tagged",
    "Word",
    "is_legal",
    "read_tasks",
    "regions",
    "repair",
    "spans_to_tags",
    "split_tag",
    "starts",
    "tag_set",
    "tags_to_spans",
    "task_text",
    "transitions",
    "words",
    "write_conll",
]
