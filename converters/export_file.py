"""Files of Label Studio tasks, in the shapes it exports and its API answers, read as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from converters.json_blocks import Block, Blocks, decode_block
from converters.json_stream import JSONStream

# An answer of the API may name its totals before the tasks: {"total": 7, "tasks": [
_PAGE = re.compile(
    r"""\{ (?: \s* "[^"\\]*" \s*:\s* (?: [-+.\deE]+ | null | true | false | "[^"\\]*" ) \s*, )*
        \s* "tasks" \s*:\s* (?=\[)""",
    re.VERBOSE,
)


def load_tasks(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Read the tasks of a file one by one; memory does not grow with their number.

    Understands the JSON export, the JSON_MIN export (also mixed: it is told by each object), a list of tasks
    from the API (bare, or pages with ``"tasks"``), one task alone, and any of these one after the other, as
    JSON lines are. JSON_MIN has no tasks but one flat object an annotation: those of one task that follow each
    other become one task, all its keys its ``data`` and its lists of regions results without a ``to_name``.

    Elements that are no objects are given as they are, for ``iter_documents`` to name. Raises ``UnreadableJSON``,
    a ``ValueError``, where the JSON breaks off or breaks its rules, after all that came before.

    Source: https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks, and the
    ``convert_to_json_min`` of ``label_studio_sdk.converter``
    """
    return _joined(_values(Blocks(stream)))


def load_rest(blocks: Blocks, undecoded: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """Read the tasks of a file of which ``blocks`` were taken apart already, all but the ``undecoded`` latest."""
    return _joined(_elements(blocks.rest(undecoded)))


def numbered_tasks(data: bytes) -> list[dict[str, Any]] | None:
    """Decode a block of tasks that can be read apart from the others; ``None`` where they cannot.

    They cannot where one has no id of its own, or is a part of what JSON_MIN holds of a task.
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
    """Make tasks of what stands for one each, JSON_MIN's annotations of one task together."""
    held: dict[str, Any] | None = None
    for value in values:
        task = _unflatten(value) if _is_flat(value) else None
        if held and task and task["id"] is not None and task["id"] == held["id"]:
            held["annotations"] += task["annotations"]
            continue
        if held:
            yield held
        held = task
        if task is None:
            yield value
    if held:
        yield held


def _elements(stream: JSONStream) -> Iterator[Any]:
    """Read what stands for a task each, whatever holds them together."""
    while following := stream.peek():
        if following == "[":
            yield from stream.elements()
        elif stream.skip(_PAGE):
            yield from stream.elements()
            _skip_members(stream)
        elif following == "{":
            value = stream.value()
            if isinstance(value.get("tasks"), list) and "data" not in value:
                yield from value["tasks"]
            else:
                yield value
        else:
            raise stream.error(f"{following!r} where a list of tasks should begin: give a JSON export of Label Studio")


def _skip_members(stream: JSONStream) -> None:
    """Skip the rest of an object after one of its values."""
    while stream.expect(",}") == ",":
        stream.value()
        stream.expect(":")
        stream.value()


def _is_flat(value: object) -> bool:
    return isinstance(value, dict) and "annotation_id" in value and "annotations" not in value


def _unflatten(flat: dict[str, Any]) -> dict[str, Any]:
    """Make a task of an object of JSON_MIN: its data and the results of one annotation in one."""
    results = [
        {"from_name": name, "type": "labels", "value": region}
        for name, regions in flat.items()
        if isinstance(regions, list)
        for region in regions
        if isinstance(region, dict) and "labels" in region
    ]
    annotation = {
        "id": flat["annotation_id"],
        "completed_by": flat.get("annotator"),
        "created_at": flat.get("created_at"),
        "updated_at": flat.get("updated_at"),
        "result": results,
    }
    made = flat["annotation_id"] is not None
    return {"id": flat.get("id"), "data": flat, "annotations": [annotation] if made else []}
