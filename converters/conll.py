"""Reads and writes CoNLL files: the public names of the modules conll_layout, conll_read and conll_write."""

from converters.conll_layout import HEADER, ConllError, Layout, detect_layout
from converters.conll_read import ConllDocument, ConllSentence, read_conll, to_documents
from converters.conll_write import Written, write_conll, write_tagged
from converters.sidecar import SidecarError

__all__ = [
    "HEADER",
    "ConllDocument",
    "ConllError",
    "ConllSentence",
    "Layout",
    "SidecarError",
    "Written",
    "detect_layout",
    "read_conll",
    "to_documents",
    "write_conll",
    "write_tagged",
]
