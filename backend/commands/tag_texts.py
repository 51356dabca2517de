"""``tag``: marks regions in texts with a version's folder."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.commands.files import open_version
from backend.commands.output import show_table
from backend.conversion import count
from backend.errors import InvalidRequest
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.inference.tagger import Tagging

_FILE_NAME = re.compile(r"\S*[/\\]\S*|\S+\.[A-Za-z]\w{0,5}")


@click.command()
@click.argument("folder")
@click.argument("text", metavar="[TEXT|FILE|-]", default="-")
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "conll"]), default="table", show_default=True)
@click.option("--whole", is_flag=True, help="The file, or standard input, is one text; by default each line is one.")
@click.pass_obj
def tag(settings: Settings, folder: str, text: str, form: str, whole: bool) -> None:
    """Mark the regions in texts with the version in FOLDER.

    If a file has the name that is given, its lines are the texts; anything else is a text itself, and "-" is standard
    input. Offsets are code points, as in Label Studio.
    """
    tagger = open_version(settings, folder)
    texts = list(_texts(text, whole))
    taggings = tagger.tag(texts)
    if form == "jsonl":
        for content, tagging in zip(texts, taggings, strict=True):
            click.echo(json.dumps({"text": content, "spans": _spans(content, tagging)}, ensure_ascii=False))
    elif form == "conll":
        _write_conll(texts, taggings)
    else:
        _show(texts, taggings)


def _show(texts: Sequence[str], taggings: Sequence[Tagging]) -> None:
    rows = [
        (number, span["text"], span["label"], f"{span['score']:.3f}", span["start"], span["end"])
        for number, (text, tagging) in enumerate(zip(texts, taggings, strict=True), start=1)
        for span in _spans(text, tagging)
    ]
    click.echo(f"{count(len(texts), 'text')}, {count(len(rows), 'region')}.", err=True)
    if rows:
        show_table(("text", "region", "label", "score", "start", "end"), rows)


def _texts(text: str, whole: bool) -> Iterator[str]:
    if text != "-" and not _is_file(text):
        yield text
        return
    if text == "-" and sys.stdin.isatty():
        click.echo("Write texts, one a line, and end with Ctrl-D.", err=True)
    content = sys.stdin.buffer.read() if text == "-" else Path(text).read_bytes()
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        name = "Standard input" if text == "-" else text
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidRequest(f"{name} is not UTF-8 (line {line}): convert it to UTF-8.") from None
    lines = decoded.replace("\r\n", "\n").removesuffix("\n").split("\n") if decoded else []
    yield from [decoded] if whole else lines


def _is_file(text: str) -> bool:
    """Whether a file has this name; says so if none has, although the text looks like a name."""
    try:
        path = Path(text)
        if path.is_dir():
            raise InvalidRequest(f"{text} is a folder: give a file, a text, or - for standard input.")
        if path.is_file():
            return True
    except (OSError, ValueError):  # a text may be too long for a name
        return False
    if _FILE_NAME.fullmatch(text):
        click.echo(f"No file is named {text}, so this is read as a text.", err=True)
    return False


def _spans(text: str, tagging: Tagging) -> list[dict[str, Any]]:
    return [
        {"start": span.start, "end": span.end, "label": span.label, "score": span.score,
         "text": text[span.start : span.end]}
        for span in tagging.spans
    ]  # fmt: skip


def _write_conll(texts: Sequence[str], taggings: Sequence[Tagging]) -> None:
    from converters.conll import write_conll
    from converters.document import Document
    from converters.streams import writing_text

    pairs = enumerate(zip(texts, taggings, strict=True), start=1)
    documents = [Document(str(number), text, tagging.spans) for number, (text, tagging) in pairs]
    with writing_text("-") as out:
        write_conll(documents, out)
