from __future__ import annotations

import io
import json
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from converters import ConversionReport, UnreadableJSON, load_tasks
from converters import conversion as module
from converters.conversion import Conversion, Reading
from converters.json_blocks import Block
from label_config import LabelConfig

CONFIG = LabelConfig.of_one_text(("A B", "A_B", "C"))


def task(number: int | None) -> dict[str, Any]:
    chance = random.Random(number)
    text = f"{'sushi 🍣 in Boston. ' * chance.randint(1, 8)}open {number}"
    spans = [(start, start + chance.randint(0, 9)) for start in range(0, len(text), 17)]
    results = [
        {
            "from_name": chance.choice(["label", "label", "other"]),
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "labels": [chance.choice(["A_B", "A B", "C", "D"])]},
        }
        for start, end in spans
    ]
    annotations = [{"id": number, "result": results}]
    return {"id": number, "annotations": annotations, "meta": {"filler": "x" * 4000}, "data": {"text": text}}


def convert(content: str, processes: int | None) -> tuple[str, str, Conversion, int]:
    conversion, rows, sidecar = Conversion(CONFIG, Reading()), io.StringIO(), io.StringIO()
    counts: list[int] = []
    export = io.BytesIO(content.encode())
    if processes is None:
        conversion.write(load_tasks(export), rows, sidecar)
    else:
        conversion.write_file(export, rows, sidecar, processes=processes, on_progress=counts.append)
    return rows.getvalue(), sidecar.getvalue(), conversion, sum(counts)


convert_block = module._convert_block


@dataclass
class Killer:
    """Converts a block, but the first one far into the file kills its process."""

    killed: Path

    def __call__(self, config: LabelConfig, how: Reading, block: Block) -> object:
        if block.offset > 2 << 20 and not self.killed.exists():
            self.killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return convert_block(config, how, block)


@pytest.fixture(scope="module")
def export() -> str:
    """More blocks than are worked on at a time."""
    content = json.dumps([task(number) for number in range(1, 2000)])
    assert len(content) > 8 << 20
    return content


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_converted_in_blocks_is_the_same_file(export: str, processes: int) -> None:
    rows, sidecar, alone, _ = convert(export, None)
    assert convert(export, processes) == (rows, sidecar, alone, 1999)


@pytest.mark.parametrize("odd", ['{"id": null, "data": {}}', "7", '{"text": "flat", "id": 3, "annotation_id": 4}'])
def test_what_cannot_be_converted_apart_is_converted_in_its_place(export: str, odd: str) -> None:
    tasks = export[1:-1].split(', {"id"')
    tasks[1200] += f", {odd}"
    content = "[" + ', {"id"'.join(tasks) + "]"
    assert convert(content, 2)[:3] == convert(content, None)[:3]


def test_a_file_that_breaks_off_is_named_with_the_place_of_the_break(export: str) -> None:
    content = export[: len(export) // 2]
    with pytest.raises(UnreadableJSON, match=f"after {content.rindex(chr(34))} bytes|{len(content)} bytes"):
        convert(content, 2)


def test_a_killed_process_loses_nothing(export: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = convert(export, None)[:3]
    monkeypatch.setattr(module, "_convert_block", Killer(tmp_path / "killed"))
    assert convert(export, 2)[:3] == expected
    assert (tmp_path / "killed").exists()


def test_reports_add_up_and_keep_the_first_issues() -> None:
    first, second = ConversionReport(max_issues=1), ConversionReport(max_issues=1)
    Conversion(CONFIG, Reading(), report=first).write([task(1)], io.StringIO(), None)
    Conversion(CONFIG, Reading(), report=second).write([task(2)], io.StringIO(), None)
    both = ConversionReport(max_issues=1)
    Conversion(CONFIG, Reading(), report=both).write([task(1), task(2)], io.StringIO(), None)
    first.add(second)
    assert first == both
    assert first.to_dict() == both.to_dict()
