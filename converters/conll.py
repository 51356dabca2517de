"""Reads and writes CoNLL files: the public names of the modules conll_detect, conll_layout, _read and _write."""

from converters.conll_detect import detect_layout
from converters.conll_layout import HEADER, ConllError, ConllOptions, Layout
from converters.conll_read import ConllDocument, ConllSentence, read_conll, split_only_document, to_documents
from converters.conll_write import Sentences, Written, write_conll, write_tagged
from converters.sidecar import SidecarError

__all__ = [
    "HEADER",
    "ConllDocument",
    "ConllError",
    "ConllOptions",
    "ConllSentence",
    "Layout",
    "Sentences",
    "SidecarError",
    "Written",
    "detect_layout",
    "read_conll",
    "split_only_document",
    "to_documents",
    "write_conll",
    "write_tagged",
]
