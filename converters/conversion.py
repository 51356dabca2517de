"""Converts Label Studio's tasks to CoNLL rows: one after the other, or a whole file on several cores."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, NamedTuple, TextIO

from converters.bio import Loss
from converters.conll import Sentences, Written, write_conll
from converters.cores import usable_cores
from converters.document import Document
from converters.export_file import load_rest, numbered_tasks
from converters.json_blocks import Block, Blocks
from converters.label_studio import LoadText, Unreadable, iter_documents, note_loss
from converters.process_pool import map_in_order
from converters.report import ConversionReport
from converters.rows import Row, document_rows
from converters.streams import Writable
from converters.words import TOKENIZERS
from label_config import LabelConfig


@dataclass(frozen=True, slots=True)
class Reading:
    """How tasks are read: the tokenizer, whose annotations, and whether documents are split into sentences.

    ``unreadable`` and ``load`` as for `iter_documents`.
    """

    tokenizer: str = "unicode"
    sentences: Sentences = True
    annotator: str | None = None
    agreement: bool = False
    unreadable: Unreadable = "leave out"
    load: LoadText | None = None


@dataclass(slots=True)
class Conversion:
    """Reads tasks as ``how`` says and writes CoNLL-2003; ``written`` and ``report`` count all tasks so far."""

    config: LabelConfig
    how: Reading
    written: Written = field(default_factory=Written)
    report: ConversionReport = field(default_factory=ConversionReport)

    def write(self, tasks: Iterable[dict[str, Any]], rows: Writable, sidecar: Writable | None) -> None:
        """Convert tasks; at most one is in memory."""
        how = self.how
        written = write_conll(
            self.documents(tasks),
            rows,
            sidecar=sidecar,
            tokenizer=TOKENIZERS[how.tokenizer],
            sentences=how.sentences,
            labels=self.config.labels,
            on_loss=self._note,
        )
        self.written.add(written)

    def rows(self, tasks: Iterable[dict[str, Any]]) -> Iterator[Row]:
        """Convert tasks to rows of tokens and tags, which are counted like those of `write`."""
        for document in self.documents(tasks):
            tokenizer = TOKENIZERS[self.how.tokenizer]
            rows, losses = document_rows(document, tokenizer=tokenizer, sentences=self.how.sentences)
            for loss in losses:
                self._note(document, loss)
            tokens = sum(len(row.tokens) for row in rows)
            self.written.add(Written(1, len(rows), tokens, len(document.spans) - len(losses)))
            yield from rows

    def documents(self, tasks: Iterable[dict[str, Any]]) -> Iterator[Document]:
        """Read the labelled tasks, one after the other."""
        how = self.how
        return iter_documents(
            tasks,
            self.config,
            self.report,
            annotator=how.annotator,
            agreement=how.agreement,
            unreadable=how.unreadable,
            load=how.load,
        )

    def write_file(
        self,
        export: BinaryIO,
        rows: TextIO,
        sidecar: TextIO | None,
        *,
        processes: int | None = None,
        on_progress: Callable[[int], object] = lambda _tasks: None,
    ) -> None:
        """Convert an export in the formats of `load_tasks`, in blocks, on as many cores as there are.

        ``on_progress`` is called with the number of further tasks converted. Input that cannot be split into blocks
        (JSON_MIN, tasks without an id, JSON that breaks off, the last megabyte) is converted in this process, with the
        same result. Raises ``UnreadableJSON``.
        """
        blocks = Blocks(export)
        undecoded: list[Block] = []
        convert = partial(_convert_block, self.config, self.how)
        with closing(map_in_order(convert, blocks, processes=processes or usable_cores())) as parts:
            for block, part in parts:
                if part is None:
                    undecoded.append(block)
                else:
                    self._append(part, rows, sidecar)
                    on_progress(part.report.tasks)
        self.write(_counted(load_rest(blocks, undecoded), on_progress), rows, sidecar)

    def _append(self, part: _Part, rows: TextIO, sidecar: TextIO | None) -> None:
        rows.write(part.rows)
        if sidecar:
            sidecar.write(part.sidecar)
        self.written.add(part.written)
        self.report.add(part.report)

    def _note(self, document: Document, loss: Loss) -> None:
        note_loss(self.report, document.id, loss)


class _Part(NamedTuple):
    """A converted block of tasks."""

    rows: str
    sidecar: str
    written: Written
    report: ConversionReport


def _convert_block(config: LabelConfig, how: Reading, block: Block) -> _Part | None:
    """Convert one block; ``None`` where it cannot be read apart from the others."""
    # Thousands of tasks at once, none in a cycle: checking them for garbage takes a third of the time.
    gc.disable()
    try:
        tasks = numbered_tasks(block.data)
        if tasks is None:
            return None
        conversion, rows, sidecar = Conversion(config, how), io.StringIO(), io.StringIO()
        conversion.write(tasks, rows, sidecar)
        return _Part(rows.getvalue(), sidecar.getvalue(), conversion.written, conversion.report)
    finally:
        gc.enable()


def _counted(tasks: Iterable[dict[str, Any]], on_progress: Callable[[int], object]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        on_progress(1)
        yield task
