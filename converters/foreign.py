"""Names files of another format than the reader expects, from their first lines."""

from __future__ import annotations

import re

from converters.conll_layout import HEADER, SPACE, split_row
from converters.schemes import is_tag

_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*["}]|\s*\[\s*\]\s*\Z')
_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(r"\s*<(?:\?xml|!--|View\b)", re.IGNORECASE)

# Columns of Label Studio's CSV and TSV exports beside those of the data and the results.
_CSV_COLUMNS = {"annotation_id", "annotator", "created_at", "updated_at", "lead_time"}

_ROWS = 5

_OURS = re.compile(r'"(?:data|annotation_id)"\s*:')
_API_ERROR = re.compile(r'\s*\{\s*"(?:detail|status_code)"\s*:')
_SPAN = r"\[\s*\[\s*\d+\s*,\s*\d+\s*,\s*\""
_FOREIGN_JSON = (
    ("Prodigy", re.compile(r'"(?:_input_hash|_task_hash)"\s*:|"spans"\s*:\s*\[\s*\{[^}]*"label"')),
    ("spaCy", re.compile(r'"entities"\s*:\s*' + _SPAN + r'|"classes"\s*:\s*\[|"paragraphs"\s*:\s*\[|"cats"\s*:\s*\{')),
    ("doccano", re.compile(r'"labels?"\s*:\s*' + _SPAN + r'|"entities"\s*:\s*\[\s*\{[^}]*"start_offset"')),
)

_NO_SPANS = "which cannot be read: in Label Studio, export the project as JSON"


_PAGE = (
    "this is a web page (HTML), perhaps Label Studio's login page, not an export: log in, or give the token, and "
    "export again."
)


def not_conll(head: str) -> str | None:
    """Why the first lines of a file are not CoNLL, and the remedy, if the format is certain."""
    first = head.lstrip("\ufeff \t\r\n").partition("\n")[0]
    if _HTML.match(head):
        return _PAGE
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
    if _HTML.match(text):
        return _PAGE
    if text[:1] in "[{" and (problem := _foreign_json(text)):
        return problem
    columns = split_row(first, SPACE)
    if text.startswith(HEADER) or (len(columns) > 1 and (is_tag(columns[-1]) or is_tag(columns[0]))):
        return "this is CoNLL, not JSON: conll-to-label-studio reads it."
    if _XML.match(text):
        return "this is XML, perhaps the labelling configuration, not an export in JSON: give it as --config."
    return None


def _foreign_json(text: str) -> str | None:
    """Why JSON is no export of Label Studio, and the remedy, if the tool that wrote it is certain."""
    if _OURS.search(text):
        return None
    if _API_ERROR.match(text):
        answer = " ".join(text[:200].split())
        return (
            f"this is an error message of Label Studio, not an export: {answer}. Mend the request, then save it again."
        )
    tool = next((tool for tool, pattern in _FOREIGN_JSON if pattern.search(text)), None)
    if tool is None:
        return None
    return f"this is JSON of {tool}, not of Label Studio: convert it to CoNLL, which conll-to-label-studio reads."


def _is_comma_row(line: str) -> bool:
    """Whether commas, and no spaces, separate a tag from the other columns."""
    _, comma, last = line.rpartition(",")
    return bool(comma) and is_tag(last.strip(' "')) and not any(map(is_tag, split_row(line, SPACE)))


def _is_csv_export(first: str) -> bool:
    names = {name.strip('" \r') for name in re.split(r"[,;\t]", first)}
    return len(names & _CSV_COLUMNS) >= 2 or (
        "\t" not in first and "id" in names and not names.isdisjoint(_CSV_COLUMNS) and len(names) > 2
    )
