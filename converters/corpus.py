"""Reads a labelled corpus from any file that the converters read: CoNLL, or an export of Label Studio in JSON."""

from __future__ import annotations

import re
from typing import NamedTuple

from converters.commands import inferred_config, read_config
from converters.conll_commands import ConllFile, conll_documents
from converters.document import Document
from converters.export_file import load_tasks
from converters.label_studio import iter_documents
from converters.report import ConversionReport
from converters.stats import Stats
from converters.streams import head_of, packed, reading, rereadable

_JSON = re.compile(r"\s*[\[{]\s*[\[{\"}\]]")


class Corpus(NamedTuple):
    """The documents of a file, and sentences about what could not be read and what was repaired."""

    documents: list[Document]
    notes: list[str]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all spans, in order of name."""
        return tuple(sorted({span.label for document in self.documents for span in document.spans}))


def read_corpus(source: ConllFile, *, config: str | None = None) -> Corpus:
    """Read a corpus; a file that begins as JSON is an export of Label Studio, any other is CoNLL.

    A CoNLL file is read with its sidecar, if there is one. ``config`` is the file of the labelling configuration of an
    export; without it, the labels are inferred. Regions that cannot be read are left out, and their words are unknown.
    Raises ``ValueError``, and ``OSError`` where the file cannot be opened.
    """
    with rereadable(source.name) as name:
        if _is_json(name):
            return _read_export(name, config)
        stats = Stats()
        file = ConllFile(name, source.encoding, source.options)
        with conll_documents(file, stats) as documents:
            return Corpus(list(documents), stats.notes())


def _is_json(name: str) -> bool:
    with reading(name) as stream:
        head = head_of(stream)
    return packed(head) is None and bool(_JSON.match(head.decode("utf-8-sig", "replace")))


def _read_export(name: str, config: str | None) -> Corpus:
    label_config = read_config(config) if config else inferred_config(name)
    report = ConversionReport()
    with reading(name) as stream:
        documents = list(iter_documents(load_tasks(stream), label_config, report))
    return Corpus(documents, [report.summary()])
