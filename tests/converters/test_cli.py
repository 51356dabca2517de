from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from converters.__main__ import main
from label_config import LabelConfig, template

TEXT = "cheap sushi in Boston. open late?"


def task(number: int, text: str = TEXT, *spans: tuple[int, int, str], control: str = "label") -> dict[str, Any]:
    results = [
        {
            "id": f"r{start}",
            "from_name": control,
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
        }
        for start, end, label in spans
    ]
    return {"id": number, "data": {"text": text}, "annotations": [{"id": number, "completed_by": 1, "result": results}]}


TASKS = [
    task(7, TEXT, (0, 5, "Price"), (6, 11, "Dish"), (15, 21, "Location")),
    task(8, "sushi🍣 and pizza-pasta", (7, 7, "Dish"), (11, 16, "Dish"), (17, 22, "Dish")),
]
UNKNOWN = task(9, "sushi", (0, 5, "Nope"))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(TASKS))
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.xml"
    file.write_text(template("restaurant"))
    return file


def test_an_export_becomes_conll_with_a_sidecar_and_a_report(export: Path, config: Path, tmp_path: Path) -> None:
    export.write_text(json.dumps([*TASKS, UNKNOWN]))
    out, report = tmp_path / "out.conll", tmp_path / "report.json"
    assert main(["label-studio-to-conll", str(export), str(out), "--config", str(config), "--report", str(report)]) == 0
    rows = out.read_text().splitlines()
    assert rows[:3] == ["-DOCSTART- -X- O O", "", "cheap -X- _ B-Price"]
    assert rows[3] == "sushi -X- _ B-Dish"
    assert [json.loads(line)["id"] for line in Path(f"{out}.jsonl").read_text().splitlines()] == ["7", "8"]
    assert json.loads(report.read_text())["problems"] == {"empty_span": 1, "unknown_label": 1}


def test_the_way_to_conll_and_back_is_exact(export: Path, config: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out.conll", tmp_path / "back.json"
    assert main(["label-studio-to-conll", str(export), str(out), "--config", str(config)]) == 0
    command = ["conll-to-label-studio", str(out), str(back), "--as", "annotations", "--config", str(config)]
    assert main(command) == 0
    returned = json.loads(back.read_text())
    assert [task["data"]["text"] for task in returned] == [task["data"]["text"] for task in TASKS]
    places = [
        [(r["value"]["start"], r["value"]["end"], r["value"]["labels"][0]) for r in one["annotations"][0]["result"]]
        for one in returned
    ]
    assert places == [[(0, 5, "Price"), (6, 11, "Dish"), (15, 21, "Location")], [(11, 16, "Dish"), (17, 22, "Dish")]]


def test_without_a_sidecar_words_are_joined_by_spaces(export: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out.conll", tmp_path / "back.json"
    assert main(["label-studio-to-conll", str(export), str(out)]) == 0
    Path(f"{out}.jsonl").unlink()
    assert main(["conll-to-label-studio", str(out), str(back)]) == 0
    first = json.loads(back.read_text())[0]
    assert first["data"]["text"] == "cheap sushi in Boston .\nopen late ?"
    assert first["predictions"][0]["result"][1]["value"]["text"] == "sushi"


def test_without_a_config_the_labels_are_those_of_the_export(export: Path, tmp_path: Path) -> None:
    export.write_text(json.dumps([UNKNOWN]))
    out = tmp_path / "out.conll"
    assert main(["label-studio-to-conll", str(export), str(out)]) == 0
    assert "B-Nope" in out.read_text()


def test_standard_streams_carry_the_files(
    export: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(export.read_bytes())))
    assert main(["label-studio-to-conll", "-", "-"]) == 0
    conll = capsysbinary.readouterr().out
    assert conll.startswith(b"-DOCSTART- -X- O O\n\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(conll)))
    assert main(["conll-to-label-studio", "-", "-"]) == 0
    assert len(json.loads(capsysbinary.readouterr().out)) == 2


def test_a_config_is_made_of_a_conll_file(export: Path, tmp_path: Path) -> None:
    out, xml = tmp_path / "out.conll", tmp_path / "out.xml"
    assert main(["label-studio-to-conll", str(export), str(out)]) == 0
    assert main(["conll-to-config", str(out), str(xml)]) == 0
    assert LabelConfig.from_xml(xml.read_text()).labels == ("Dish", "Location", "Price")


def test_stats_count_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.conll"
    file.write_text("I-Dish\tramen\nO\tin\n\nB-Dish\ttacos\nI-Dish\tal\nI-Dish\tpastor\nI-Price\tcheap\n")
    assert main(["stats", str(file), "--json"]) == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["entities"] == {"Dish": 2, "Price": 1}
    assert (stats["sentences"], stats["tokens"], stats["layout"]) == (2, 6, "tag first")
    assert main(["stats", str(file)]) == 0
    assert "tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stats", "{tmp}/none.conll"], "none.conll: No such file"),
        (["stats", "{tmp}/bad.conll"], "Line 2"),
        (["label-studio-to-conll", "{tmp}/bad.json", "{tmp}/o.conll"], "JSON"),
        (["label-studio-to-conll", "{tmp}/empty.json", "{tmp}/o.conll"], "--config"),
        (["label-studio-to-conll", "{tmp}/empty.json", "{tmp}/o.conll", "--config", "{tmp}/bad.json"], "configuration"),
        (["conll-to-label-studio", "{tmp}/none.conll", "{tmp}/o.json"], "none.conll: No such file"),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_no_file(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.conll").write_text("a -X- _ O\nb -X- O\n")
    (tmp_path / "bad.json").write_text('[{"id": 1,')
    (tmp_path / "empty.json").write_text("[]")
    before = set(tmp_path.iterdir())
    assert main([part.format(tmp=tmp_path) for part in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert says in error
    assert error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


def test_an_export_with_several_text_fields_asks_for_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_fields = task(1, "a b", (0, 1, "X"))
    two_fields["data"] = {"left": "a b", "right": "a c"}
    (tmp_path / "e.json").write_text(json.dumps([two_fields]))
    assert main(["label-studio-to-conll", str(tmp_path / "e.json"), str(tmp_path / "o.conll")]) == 1
    assert "left, right" in capsys.readouterr().err
