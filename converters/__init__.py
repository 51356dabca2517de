"""Pure text work: spans, BIO words, CoNLL files and Label Studio JSON, each turned into the others."""

from converters.agreement import Agreement, agree
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
from converters.export_file import load_tasks
from converters.json_stream import UnreadableJSON
from converters.label_studio import iter_documents, read_tasks, task_text
from converters.report import ConversionReport, Issue, Problem
from converters.tasks import annotation_task, prediction_task, regions, write_tasks
from converters.words import words

__all__ = [
    "OUTSIDE",
    "Agreement",
    "ConversionReport",
    "Document",
    "Issue",
    "Loss",
    "Problem",
    "Span",
    "Tagged",
    "UnreadableJSON",
    "Word",
    "agree",
    "annotation_task",
    "is_legal",
    "iter_documents",
    "load_tasks",
    "prediction_task",
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
    "write_tasks",
]
