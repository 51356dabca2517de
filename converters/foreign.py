"""Names files of another format than the reader expects, from their first lines."""

from __future__ import annotations

import re

from converters.conll_layout import HEADER, SPACE, split_row
from converters.schemes import is_tag

_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*["}]|\s*\[\s*\]\s*\Z')
_XML = re.compile(r"\s*<(?:\?xml|!--|View\b)", re.IGNORECASE)

# Columns of Label Studio's CSV and TSV exports beside those of the data and the results.
_CSV_COLUMNS = {"annotation_id", "annotator", "created_at", "updated_at", "lead_time"}

_ROWS = 5

_NO_SPANS = "which cannot be read: in Label Studio, export the project as JSON"


def not_conll(head: str) -> str | None:
    """Why the first lines of a file are not CoNLL, and the remedy, if the format is certain."""
    first = head.lstrip("\ufeff \t\r\n").partition("\n")[0]
    if _JSON.match(head):
        return "this is JSON, not CoNLL: use label-studio-to-conll for an export of Label Studio."
    if _is_csv_export(first):
        return f"this is Label Studio's CSV export, {_NO_SPANS} and use label-studio-to-conll, or as CoNLL2003."
    if _XML.match(head):
        return "this is XML, perhaps a labelling configuration, not CoNLL: give the file with the words and tags."
    if any(map(_is_comma_row, head.splitlines()[:_ROWS])):
        return "the columns are separated by commas: separate them with tabs."
    return None


def not_json(head: str) -> str | None:
    """Why the first lines of a file are not an export in JSON, and the remedy, if the format is certain."""
    text = head.lstrip("\ufeff \t\r\n")
    first = text.partition("\n")[0]
    if _is_csv_export(first):
        return f"this is Label Studio's CSV export, {_NO_SPANS} (JSON or JSON_MIN)."
    columns = split_row(first, SPACE)
    if text.startswith(HEADER) or (len(columns) > 1 and (is_tag(columns[-1]) or is_tag(columns[0]))):
        return "this is CoNLL, not JSON: conll-to-label-studio reads it."
    if _XML.match(text):
        return "this is XML, perhaps the labelling configuration, not an export in JSON: give it as --config."
    return None


def _is_comma_row(line: str) -> bool:
    """Whether commas, and no spaces, separate a tag from the other columns."""
    _, comma, last = line.rpartition(",")
    return bool(comma) and is_tag(last.strip(' "')) and not any(map(is_tag, split_row(line, SPACE)))


def _is_csv_export(first: str) -> bool:
    names = {name.strip('" \r') for name in re.split(r"[,\t]", first)}
    return len(names & _CSV_COLUMNS) >= 2
