"""What the command line says of files of other kinds, of options that do nothing, and of labels of a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from converters.__main__ import main
from tests.converters.test_cli import task

ALIASES = """<View><Labels name="label" toName="text">
  <Label value="Person" alias="PER" predicted_values="people"/><Label value="a=b"/></Labels>
  <Text name="text" value="$text"/></View>"""

TWO_TEXTS = """<View><Labels name="l1" toName="title"><Label value="PER"/></Labels><Text name="title" value="$title"/>
  <Labels name="l2" toName="body"><Label value="CITY"/><Label value="PER"/></Labels>
  <Text name="body" value="$body"/></View>"""

PREDICTED = {"id": 1, "data": {"text": "Ana"}, "predictions": [{"result": []}], "annotations": []}


def run(folder: Path, content: str | bytes, command: str, *options: str) -> tuple[int, Any]:
    """Convert a file to ``out``; the exit code, and the tasks if there are any."""
    source, out = folder / "in", folder / "out"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    code = main([command, str(source), str(out), *options])
    return code, json.loads(out.read_text()) if code == 0 and command == "conll-to-label-studio" else None


def with_config(folder: Path, xml: str) -> tuple[str, str]:
    (folder / "config.xml").write_text(xml)
    return "--config", str(folder / "config.xml")


def labels(tasks: list[dict[str, Any]], kind: str) -> list[tuple[str, str]]:
    return [(region["to_name"], region["value"]["labels"][0]) for task in tasks for region in task[kind][0]["result"]]


@pytest.mark.parametrize(
    ("label", "kind", "expected"),
    [
        ("PER", "annotations", [("text", "PER")]),
        ("Person", "annotations", [("text", "PER")]),
        ("people", "predictions", [("text", "PER")]),
        ("person", "predictions", [("text", "PER")]),
    ],
)
def test_labels_of_tags_are_found_as_the_configuration_names_them(
    label: str, kind: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    options = ["--as", kind, *with_config(tmp_path, ALIASES)]
    code, tasks = run(tmp_path, f"Ana B-{label}\nran O\n", "conll-to-label-studio", *options)
    assert (code, labels(tasks, kind)) == (0, expected)


def test_names_that_only_a_model_uses_make_no_annotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--as", "annotations", *with_config(tmp_path, ALIASES)]
    assert run(tmp_path, "Ana B-people\n", "conll-to-label-studio", *options)[0] == 1
    assert "'people' is not in the labelling configuration" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["annotations", "predictions"])
def test_document_is_written_to_the_first_text_that_has_its_labels(kind: str, tmp_path: Path) -> None:
    content = "Ana B-PER\n\nRome B-CITY\nAna B-PER\n\nnothing O\n"
    options = ["--as", kind, *with_config(tmp_path, TWO_TEXTS)]
    code, tasks = run(tmp_path, content, "conll-to-label-studio", *options)
    assert code == 0
    assert labels(tasks, kind) == [("title", "PER"), ("body", "CITY"), ("body", "PER")]
    assert [task["data"] for task in tasks] == [
        {"title": "Ana", "body": ""},
        {"title": "", "body": "Rome Ana"},
        {"title": "", "body": "nothing"},
    ]


def test_labels_of_different_texts_in_one_document_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    xml = TWO_TEXTS.replace('<Label value="CITY"/><Label value="PER"/>', '<Label value="CITY"/>')
    options = ["--as", "annotations", *with_config(tmp_path, xml)]
    assert run(tmp_path, "Ana B-PER\nRome B-CITY\n", "conll-to-label-studio", *options)[0] == 1
    assert "'CITY' is not a label of the text 'title'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"id": 1, "text": "Ana ran", "label": [[0, 3, "PER"]]}\n', "JSON of doccano, not of Label Studio"),
        ('{"id": 1, "text": "Ana", "entities": [{"id": 1, "label": "P", "start_offset": 0}]}\n', "JSON of doccano"),
        ('{"text": "Ana", "_input_hash": 1, "spans": [{"start": 0, "end": 3, "label": "PER"}]}\n', "JSON of Prodigy"),
        ('[["Ana ran", {"entities": [[0, 3, "PER"]]}]]', "JSON of spaCy"),
        ('{"classes": ["PER"], "annotations": [["Ana", {"entities": [[0, 3, "PER"]]}]]}', "JSON of spaCy"),
        ('{"detail": "Authentication credentials were not provided."}', "an error message of Label Studio"),
        (json.dumps([PREDICTED]), "predictions only, and no annotation"),
        ("id;text;label;annotator;annotation_id\n1;a;;1;2\n", "Label Studio's CSV export"),
        ("id,text,label,annotator\n1,a,,1\n", "Label Studio's CSV export"),
        ("<!DOCTYPE html>\n<html><head></head></html>", "a web page (HTML), perhaps Label Studio's login page"),
        (b"PK\x03\x04\x14\0\0\0" + b"\0" * 40, "This is a ZIP archive or a spreadsheet, not an export in JSON"),
        (json.dumps([task(1, "", (0, 0, "X")), task(2, " ")]), "Nothing was converted: the texts have no word."),
    ],
)
@pytest.mark.parametrize("has_config", [True, False])
def test_file_that_is_no_export_with_annotations_is_named(
    content: str | bytes, says: str, has_config: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = with_config(tmp_path, ALIASES) if has_config else ()
    assert run(tmp_path, content, "label-studio-to-conll", *options)[0] == 1
    assert says in capsys.readouterr().err


def test_web_page_is_no_conll(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "<html>\n<body>x</body></html>\n", "conll-to-label-studio")[0] == 1
    assert "a web page (HTML)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["label-studio-to-conll", "{x}.json", "{x}.json"],
        ["label-studio-to-conll", "{x}.conll.jsonl", "{x}.conll"],
        ["label-studio-to-conll", "{x}.json", "{x}.conll", "--report", "{x}.json"],
        ["conll-to-label-studio", "{x}.conll", "{x}.conll"],
        ["conll-to-label-studio", "{x}.conll", "{x}.conll.jsonl"],
        ["conll-to-config", "{x}.conll", "{x}.conll"],
    ],
)
def test_file_that_is_read_is_not_overwritten(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("x.json", "x.conll", "x.conll.jsonl")]
    for file in files:
        file.write_text(json.dumps([task(1, "Ana", (0, 3, "X"))]) if file.suffix != ".conll" else "Ana B-X\n")
    before = [file.read_text() for file in files]
    assert main([argument.format(x=tmp_path / "x") for argument in arguments]) == 1
    assert "is both read and written: choose another name" in capsys.readouterr().err
    assert [file.read_text() for file in files] == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--map-label", "Nope=PER", "--map-label", "Nopp=PER"], "No region that was read has the label 'Nopp'"),
        (["--map-label", "Nope=a=b", "--map-label", "Nope=PER"], "gives 'Nope' more than once: 'PER', the last"),
    ],
)
def test_mapping_that_does_nothing_is_said(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = json.dumps([task(1, "Ana", (0, 3, "Nope"))])
    assert run(tmp_path, export, "label-studio-to-conll", *with_config(tmp_path, ALIASES), *options)[0] == 0
    assert [says in line for line in capsys.readouterr().err.splitlines()].count(True) == 1
    assert "Ana -X- _ B-PER\n" in (tmp_path / "out").read_text()


@pytest.mark.parametrize(
    ("old", "mapping", "tag", "has_config"),
    [
        ("x=y", "x=y=PER", "B-PER", True),
        ("Nope", "Nope=a=b", "B-a=b", True),
        ("x=y", "x=y=a=b", "B-a=b", True),
        ("x=y", "x=y=New", "B-New", False),
        ("x", "x=y=New", "B-y=New", False),
    ],
)
def test_label_with_an_equals_sign_is_mapped(
    old: str, mapping: str, tag: str, has_config: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = with_config(tmp_path, ALIASES) if has_config else ()
    export = json.dumps([task(1, "Ana", (0, 3, old))])
    assert run(tmp_path, export, "label-studio-to-conll", *options, "--map-label", mapping)[0] == 0
    assert f"Ana -X- _ {tag}\n" in (tmp_path / "out").read_text()
    assert "No region" not in capsys.readouterr().err


def test_tags_without_a_label_ask_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ((), with_config(tmp_path, ALIASES)):
        assert run(tmp_path, "a B-\nb I-\nc O\n", "conll-to-label-studio", *options)[0] == 1
        assert "tags without a label (B-, I-): give the label with --label NAME" in capsys.readouterr().err
    assert run(tmp_path, "a B-\nb I-\nc O\n", "conll-to-label-studio", "--label", "X")[0] == 0


@pytest.mark.parametrize(
    ("declaration", "code"), [('<?xml version="1.0" encoding="iso-8859-1"?>', 0), ("", 1), ("<?xml encoding='x'?>", 1)]
)
def test_configuration_is_read_in_the_encoding_it_declares(
    declaration: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.xml"
    config.write_bytes((declaration + ALIASES.replace("people", "Ortschaftsnamé")).encode("latin-1"))
    assert run(tmp_path, "Ana B-PER\n", "conll-to-label-studio", "--config", str(config))[0] == code
    assert (f"{config} is not UTF-8: save the labelling configuration as UTF-8" in capsys.readouterr().err) == bool(
        code
    )


def test_folder_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").write_text("Ana B-PER\n")
    target = tmp_path / "none" / "o.json"
    assert main(["conll-to-label-studio", str(tmp_path / "in"), str(target)]) == 1
    problem = f"{target}: there is no folder {target.parent}: create it, or choose another one."
    assert capsys.readouterr().err == f"Error: {problem}\n"
