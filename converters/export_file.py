"""Reads files of Label Studio tasks, exported or from its API, as a stream.

The JSON export, shortened::

    [{"id": 1, "data": {"text": "best sushi"}, "annotations": [{"id": 12, "completed_by": 1, "result": [
        {"from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}]}]}]

The same task in JSON_MIN::

    [{"id": 1, "text": "best sushi", "annotator": 1, "annotation_id": 12,
      "label": [{"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}]}]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from converters.json_blocks import Block, Blocks, decode_block
from converters.json_stream import JSONStream

# A page of the API may begin with totals: {"total": 7, "tasks": [
_PAGE = re.compile(
    r"""\{ (?: \s* "[^"\\]*" \s*:\s* (?: [-+.\deE]+ | null | true | false | "[^"\\]*" ) \s*, )*
        \s* "tasks" \s*:\s* (?=\[)""",
    re.VERBOSE,
)


def load_tasks(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Read the tasks of a file one by one; memory does not grow with their number.

    Reads the JSON export, the JSON_MIN export (also mixed: each object shows which it is), a list of tasks from the API
    (plain, or pages with ``"tasks"``), a single task, and several of these one after the other, as in JSON lines.
    JSON_MIN has one flat object per annotation: consecutive objects of one task become one task, with all their keys as
    its ``data`` and their lists of regions as results without a ``to_name``.

    Elements that are not objects are returned unchanged, for ``iter_documents`` to report. Raises ``UnreadableJSON``, a
    ``ValueError``, where the JSON ends too early or is invalid, after all tasks before that.

    Source: https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks, and the
    ``convert_to_json_min`` of ``label_studio_sdk.converter``
    """
    return _joined(_values(Blocks(stream)))


def load_rest(blocks: Blocks, undecoded: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """Read the rest of the tasks of a file: those after the ``blocks`` taken so far, and the ``undecoded`` blocks."""
    return _joined(_elements(blocks.rest(undecoded)))


def numbered_tasks(data: bytes) -> list[dict[str, Any]] | None:
    """Decode a block of tasks; ``None`` where they cannot be read apart from other blocks.

    That is the case if a task has no id, or is one of several JSON_MIN objects of a task.
    """
    values = decode_block(data)
    if values is None or not all(isinstance(value, dict) and "id" in value and "data" in value for value in values):
        return None
    return None if any(value["id"] is None or _is_flat(value) for value in values) else values


def _values(blocks: Blocks) -> Iterator[Any]:
    for block in blocks:
        values = decode_block(block.data)
        if values is None:
            yield from _elements(blocks.rest([block]))
            return
        yield from values
    yield from _elements(blocks.rest())


def _joined(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Combine consecutive JSON_MIN objects of one task; other values are tasks already."""
    previous: dict[str, Any] | None = None
    for value in values:
        task = _unflatten(value) if _is_flat(value) else None
        if previous and task and task["id"] is not None and task["id"] == previous["id"]:
            previous["annotations"] += task["annotations"]
            continue
        if previous:
            yield previous
        previous = task
        if task is None:
            yield value
    if previous:
        yield previous


def _elements(stream: JSONStream) -> Iterator[Any]:
    """Read the elements of lists and pages, and single objects."""
    while character := stream.peek():
        if character == "[":
            yield from stream.elements()
        elif stream.skip(_PAGE):
            yield from stream.elements()
            _skip_members(stream)
        elif character == "{":
            value = stream.value()
            if isinstance(value.get("tasks"), list) and "data" not in value:
                yield from value["tasks"]
            else:
                yield value
        else:
            raise stream.error(f"{character!r} where a list of tasks should begin: use a JSON export of Label Studio")


def _skip_members(stream: JSONStream) -> None:
    """Skip the rest of an object, after one of its values."""
    while stream.expect(",}") == ",":
        stream.value()
        stream.expect(":")
        stream.value()


def _is_flat(value: object) -> bool:
    """Whether a value is an object of JSON_MIN; those of the first versions have no ``annotation_id``."""
    if not isinstance(value, dict) or "annotations" in value or "completions" in value:
        return False
    return "annotation_id" in value or ("data" not in value and any(map(_has_regions, value.values())))


def _unflatten(flat: dict[str, Any]) -> dict[str, Any]:
    """Make a task with one annotation from a JSON_MIN object, which holds data and results in one.

    What is no list of regions becomes a result without a ``type``: it is data, or, under the name of a control, regions
    that cannot be read.
    """
    results: list[dict[str, Any]] = []
    for name, content in flat.items():
        if _has_regions(content):
            results += [{"from_name": name, "type": _type(region), "value": region} for region in content]
        elif content not in (None, "", []):
            results.append({"from_name": name, "value": content})
    annotation = {
        "id": flat.get("annotation_id"),
        "completed_by": flat.get("annotator"),
        "created_at": flat.get("created_at"),
        "updated_at": flat.get("updated_at"),
        "result": results,
    }
    is_annotated = flat.get("annotation_id", True) is not None
    return {"id": flat.get("id"), "data": flat, "annotations": [annotation] if is_annotated else []}


def _has_regions(content: object) -> bool:
    return isinstance(content, list) and any(isinstance(region, dict) and "start" in region for region in content)


def _type(region: object) -> str:
    """The type of a result, which JSON_MIN leaves out, by the key that holds its labels."""
    keys = region if isinstance(region, dict) else ()
    return next((key for key in keys if key.endswith("labels")), next((key for key in keys if key in _OTHER), "labels"))


_OTHER = ("choices", "taxonomy", "rating", "number", "datetime")
