"""The command line: ``python -m converters``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys

from converters import commands
from converters.conll import read_conll
from converters.conversion import Reading
from converters.report import ConversionReport
from converters.stats import count
from converters.streams import progress, reading_text
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
        _say(f"Error: {error.filename or 'a stream'}: {error.strerror or error}.")
        return 1
    except ValueError as error:
        _say(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


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

    command = _command(subparsers, "conll-to-config", _to_config, "a CoNLL file → a labelling configuration")
    command.add_argument("source", metavar="IN")
    command.add_argument("target", metavar="OUT.xml")

    command = _command(
        subparsers, "stats", _stats, "tokens, entities, sentence lengths and illegal tags of a CoNLL file"
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("--json", action="store_true", help="print one JSON object")
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
    parser.add_argument("--no-sentences", action="store_true", help="write each document as one sentence")
    parser.add_argument("--annotator", metavar="ID", help="use only this person's annotations (id or e-mail)")
    parser.add_argument("--agreement", action="store_true", help="use the majority of all annotators, word by word")


def _to_conll(options: argparse.Namespace) -> None:
    how = Reading(options.tokenizer, not options.no_sentences, options.annotator, options.agreement)
    written, report = commands.label_studio_to_conll(options.source, options.target, config=options.config, how=how)
    _finish(report, options.report, report.summary())
    _say(f"{written.documents:,} documents, {written.tokens:,} tokens, {written.spans:,} entities written.")


def _to_label_studio(options: argparse.Namespace) -> None:
    number, report = commands.conll_to_label_studio(
        options.source, options.target, kind=options.kind, config=options.config
    )
    left_out = sum(report.problems().values())
    _finish(report, options.report, f"{left_out} problems: {report.problems()}" if left_out else "")
    _say(f"{number:,} tasks with {options.kind} written.")


def _to_config(options: argparse.Namespace) -> None:
    labels = commands.conll_to_config(options.source, options.target)
    _say(f"Labels: {', '.join(labels)}.")


def _stats(options: argparse.Namespace) -> None:
    with reading_text(options.source) as stream:
        stats = count(progress(read_conll(stream), "documents"))
    sys.stdout.write(json.dumps(stats.to_dict(), ensure_ascii=False) + "\n" if options.json else stats.table())


def _finish(report: ConversionReport, target: str | None, summary: str) -> None:
    if target:
        commands.write_report(report, target)
    if summary:
        _say(summary)


def _say(sentence: str) -> None:
    """Print to standard error, since standard output may be the converted file."""
    sys.stderr.write(sentence.encode("utf-8", "backslashreplace").decode() + "\n")


if __name__ == "__main__":
    sys.exit(main())
