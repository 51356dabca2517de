"""Conversion between spans, BIO tags, CoNLL files and Label Studio JSON, without other libraries of the service."""

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
from converters.conll import (
    ConllDocument,
    ConllError,
    ConllOptions,
    ConllSentence,
    Layout,
    SidecarError,
    Written,
    read_conll,
    to_documents,
    write_conll,
    write_tagged,
)
from converters.document import Document, Span, Word
from converters.export_file import load_tasks
from converters.json_stream import UnreadableJSON
from converters.label_studio import (
    LoadText,
    TextNotLoaded,
    iter_documents,
    read_regions,
    read_tasks,
    task_texts,
    text_names,
)
from converters.report import ConversionReport, Issue, Problem
from converters.schemes import Converted, Scheme, detect_scheme, to_bio
from converters.sentences import split_sentences
from converters.tagged import OTHER_LABEL, UNKNOWN, TaggedDocument, tag_document
from converters.tasks import annotation_task, prediction_task, regions, task_regions, write_tasks
from converters.words import TOKENIZERS, Tokenizer, whitespace_words, words

__all__ = [
    "OTHER_LABEL",
    "OUTSIDE",
    "TOKENIZERS",
    "UNKNOWN",
    "Agreement",
    "ConllDocument",
    "ConllError",
    "ConllOptions",
    "ConllSentence",
    "ConversionReport",
    "Converted",
    "Document",
    "Issue",
    "Layout",
    "LoadText",
    "Loss",
    "Problem",
    "Scheme",
    "SidecarError",
    "Span",
    "Tagged",
    "TaggedDocument",
    "TextNotLoaded",
    "Tokenizer",
    "UnreadableJSON",
    "Word",
    "Written",
    "agree",
    "annotation_task",
    "detect_scheme",
    "is_legal",
    "iter_documents",
    "load_tasks",
    "prediction_task",
    "read_conll",
    "read_regions",
    "read_tasks",
    "regions",
    "repair",
    "spans_to_tags",
    "split_sentences",
    "split_tag",
    "starts",
    "tag_document",
    "tag_set",
    "tags_to_spans",
    "task_regions",
    "task_texts",
    "text_names",
    "to_bio",
    "to_documents",
    "transitions",
    "whitespace_words",
    "words",
    "write_conll",
    "write_tagged",
    "write_tasks",
]
