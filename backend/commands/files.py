"""What the commands on files share: opening a labelled corpus, and opening a version's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.errors import InvalidRequest, ModelError
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.inference.tagger import Tagger
    from converters.corpus import Corpus

_COLUMN = "counted from 1, or from the end with -1, -2, …; by default detected."

_OPTIONS = (
    click.option("--config", metavar="XML", type=click.Path(exists=True, dir_okay=False),
                 help="Labelling configuration of an export; by default inferred."),
    click.option("--encoding", metavar="NAME", help="Such as latin-1, cp1252, utf-16; by default UTF-8."),
    click.option("--token-column", metavar="N", type=int, help=f"CoNLL: the column of the words, {_COLUMN}"),
    click.option("--tag-column", metavar="N", type=int, help=f"CoNLL: the column of the tags, {_COLUMN}"),
    click.option("--label", metavar="NAME", help="CoNLL: the label of tags that are only B, I and O."),
)  # fmt: skip


def corpus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `open_corpus` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_corpus(
    file: str,
    *,
    config: str | None,
    encoding: str | None,
    token_column: int | None,
    tag_column: int | None,
    label: str | None,
) -> Corpus:
    """Read a corpus, and print what could not be read on standard error; raises `InvalidRequest`, which names it."""
    from converters.conll import ConllOptions
    from converters.conll_commands import ConllFile
    from converters.corpus import read_corpus

    source = ConllFile(file, encoding, ConllOptions(token_column, tag_column, label))
    name = "Standard input" if file == "-" else file
    try:
        corpus = read_corpus(source, config=config)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}") from None
    if not corpus.documents:
        raise InvalidRequest(f"{name} has no labelled text: give a CoNLL file or an export of Label Studio in JSON.")
    for note in corpus.notes:
        click.echo(f"{name}: {note}", err=True)
    return corpus


def open_version(settings: Settings, folder: str) -> Tagger:
    """Open a version's folder as the service does; raises `ModelError`."""
    from backend.inference.tagger import ONNX_FILE, Tagger

    if not (Path(folder) / ONNX_FILE).is_file():
        kind = "is no version of a model" if Path(folder).is_dir() else "is no folder"
        raise ModelError(f"{folder} {kind}: give a folder that `fit` wrote, or one below {settings.model_dir}.")
    return Tagger.load(Path(folder), device=settings.device, precision=settings.precision)
