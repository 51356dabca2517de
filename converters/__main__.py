"""The command line: ``python -m converters``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from converters import commands, conll_commands
from converters.commands import NothingConverted
from converters.conll import ConllOptions, Sentences
from converters.conll_commands import ConllFile
from converters.conversion import Reading
from converters.label_map import pairs
from converters.label_studio import Unreadable
from converters.report import ConversionReport
from converters.stats import Stats
from converters.words import TOKENIZERS

_DESCRIPTION = """\
Converts between Label Studio and CoNLL-2003, and counts what is in a CoNLL file.
"-" means standard input or output."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, 1 with one sentence on standard error, or 2 for wrong usage."""
    logging.basicConfig(level=logging.ERROR)
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except BrokenPipeError:  # the program that reads our output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _say(f"Error: {error.filename or 'a stream'}: {_reason(error)}.")
        return 1
    except ValueError as error:
        _say(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _reason(error: OSError) -> str:
    folder = Path(error.filename).parent if isinstance(error.filename, str) else Path()
    if isinstance(error, FileNotFoundError) and not folder.exists():
        return f"there is no folder {folder}: create it, or choose another one"
    return error.strerror or str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m converters", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(subparsers, "label-studio-to-conll", _to_conll, "an export (JSON, JSON_MIN) → CoNLL-2003")
    command.add_argument("source", metavar="IN.json")
    command.add_argument("target", metavar="OUT.conll", help="the sidecar OUT.conll.jsonl is written beside it")
    command.add_argument(
        "--config", metavar="XML", help="the project's labelling configuration; by default inferred from the export"
    )
    _add_reading_options(command)

    command = _command(subparsers, "conll-to-label-studio", _to_label_studio, "a CoNLL file → tasks to import")
    command.add_argument("source", metavar="IN", help="its sidecar IN.jsonl is used if it exists")
    command.add_argument("target", metavar="OUT.json")
    command.add_argument("--as", dest="kind", choices=("predictions", "annotations"), default="predictions")
    command.add_argument(
        "--config", metavar="XML", help="the project's labelling configuration; by default generated from the labels"
    )
    command.add_argument("--report", metavar="REPORT.json", help="write what was left out, by document, to this file")
    _add_conll_options(command)

    command = _command(subparsers, "conll-to-config", _to_config, "a CoNLL file → a labelling configuration")
    command.add_argument("source", metavar="IN")
    command.add_argument("target", metavar="OUT.xml")
    _add_conll_options(command)

    command = _command(
        subparsers, "stats", _stats, "tokens, entities, sentence lengths and illegal tags of a CoNLL file"
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    _add_conll_options(command)
    return parser


def _command(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, purpose: str
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for reading tasks and for the report."""
    parser.add_argument("--report", metavar="REPORT.json", help="write every problem, by task, to this file")
    parser.add_argument("--tokenizer", choices=sorted(TOKENIZERS), default="unicode")
    sentences = parser.add_mutually_exclusive_group()
    sentences.add_argument("--no-sentences", action="store_true", help="write each document as one sentence")
    per_line = "each line of a text is a sentence (in texts from conll-to-label-studio this is so without the option)"
    sentences.add_argument("--sentence-per-line", action="store_true", help=per_line)
    parser.add_argument("--annotator", metavar="ID", help="use only this person's annotations (id or e-mail)")
    parser.add_argument("--agreement", action="store_true", help="use the majority of all annotators, word by word")
    parser.add_argument(
        "--unknown-labels", choices=("leave-out", "keep"), default="leave-out",
        help="texts with labels that the configuration lacks: leave them out and name them (default), or keep these",
    )  # fmt: skip
    parser.add_argument(
        "--map-label", metavar="OLD=NEW", action="append", default=[], type=_mapping,
        help="read regions with the label OLD, which the configuration no longer has, as NEW; may be repeated, "
        "and a label may have a = too",
    )  # fmt: skip


def _mapping(value: str) -> str:
    if not pairs(value):
        raise argparse.ArgumentTypeError(f"{value!r} is no mapping: use OLD=NEW, for example Person=PERSON")
    return value


def _add_conll_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for reading a CoNLL file."""
    parser.add_argument("--encoding", metavar="NAME", help="such as latin-1, cp1252, utf-16; by default UTF-8")
    columns = "counted from 1, or from the end with -1, -2, …; by default detected"
    parser.add_argument("--token-column", metavar="N", type=int, help=f"the column of the words, {columns}")
    parser.add_argument("--tag-column", metavar="N", type=int, help=f"the column of the tags, {columns}")
    parser.add_argument("--label", metavar="NAME", help="the label of tags that are only B, I and O")


def _conll_file(options: argparse.Namespace) -> ConllFile:
    known = ConllOptions(options.token_column, options.tag_column, options.label)
    return ConllFile(options.source, options.encoding, known)


def _to_conll(options: argparse.Namespace) -> None:
    unreadable: Unreadable = "keep labels" if options.unknown_labels == "keep" else "leave out"
    _check_report(options)
    sentences: Sentences = "lines" if options.sentence_per_line else not options.no_sentences
    how = Reading(options.tokenizer, sentences, options.annotator, options.agreement, unreadable)
    try:
        written, report, notes = commands.label_studio_to_conll(
            options.source, options.target, config=options.config, mappings=options.map_label, how=how
        )
    except NothingConverted as error:
        _write_report(options, error.report)
        raise
    _write_report(options, report)
    _say_all([*notes, report.summary()])
    _say(f"{written.documents:,} documents, {written.tokens:,} tokens, {written.spans:,} entities written.")


def _to_label_studio(options: argparse.Namespace) -> None:
    source = _conll_file(options)
    _check_report(options)
    try:
        number, stats, report = conll_commands.conll_to_label_studio(
            source, options.target, kind=options.kind, config=options.config
        )
    except NothingConverted as error:
        _write_report(options, error.report)
        raise
    _write_report(options, report, stats)
    _say_all(stats.notes())
    if report.problems():
        _say(report.summary())
    _say(
        f"{stats.documents:,} documents with {stats.sentences:,} sentences, {stats.tokens:,} tokens and "
        f"{stats.entities.total():,} entities read; {number:,} tasks with {options.kind} and {report.spans:,} entities "
        "written."
    )


def _to_config(options: argparse.Namespace) -> None:
    labels, stats = conll_commands.conll_to_config(_conll_file(options), options.target)
    _say_all(stats.notes())
    _say(f"Labels: {', '.join(labels)}.")


def _stats(options: argparse.Namespace) -> None:
    stats = conll_commands.conll_stats(_conll_file(options))
    _say_all(stats.notes())
    sys.stdout.write(json.dumps(stats.to_dict(), ensure_ascii=False) + "\n" if options.json else stats.table())


def _check_report(options: argparse.Namespace) -> None:
    sources = [options.source, options.source + commands.SIDECAR, options.config]
    commands.check_targets([*sources, options.target, options.target + commands.SIDECAR], [options.report])


def _write_report(options: argparse.Namespace, report: ConversionReport, stats: Stats | None = None) -> None:
    if options.report:
        commands.write_report(report, options.report, stats)


def _say_all(sentences: list[str]) -> None:
    for sentence in sentences:
        _say(sentence)


def _say(sentence: str) -> None:
    """Print to standard error, since standard output may be the converted file."""
    sys.stderr.write(sentence.encode("utf-8", "backslashreplace").decode() + "\n")


if __name__ == "__main__":
    sys.exit(main())
