from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from converters import read_conll
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


PIECES = ("U.S.", "Mr.", '"', "(", ".", "!", "1996-08-22", "a.m.", "...", "Inc.", "Japan", "-", "No.", "1-0", "3,000")


def corpus_like_conll_2003(sentences: int, *, header: str) -> tuple[str, list[list[str]]]:
    """A file of documents of 1 to 20 sentences, many of them short, and its sentences."""
    draw = random.Random(7)
    rows: list[str] = []
    words: list[list[str]] = []
    while len(words) < sentences:
        rows.append(f"{header}\n\n" if header else "")
        for _ in range(min(draw.randint(1, 20), sentences - len(words))):
            words.append(draw.choices(PIECES, k=draw.choice((1, 1, 2, 5, 12, 30))))
            tags = (f"I-{draw.choice(('PER', 'LOC'))}" if word[0].isupper() else "O" for word in words[-1])
            rows.append("".join(f"{word} NN I-NP {tag}\n" for word, tag in zip(words[-1], tags, strict=True)) + "\n")
    return "".join(rows), words


@pytest.mark.parametrize("header", ["-DOCSTART- -X- -X- O", ""])
@pytest.mark.parametrize("sidecar", [True, False])
def test_sentences_of_a_corpus_come_back(header: str, sidecar: bool, config: Path, tmp_path: Path) -> None:
    content, words = corpus_like_conll_2003(3_000, header=header)
    source, tasks, back, again = (str(tmp_path / name) for name in ("a.conll", "a.json", "b.conll", "b.json"))
    Path(source).write_text(content)
    config.write_text(template("restaurant").replace("Dish", "PER").replace("Location", "LOC"))
    assert main(["conll-to-label-studio", source, tasks, "--as", "annotations"]) == 0
    command = ["--config", str(config), "--tokenizer", "whitespace"]
    assert main(["label-studio-to-conll", tasks, back, *command]) == 0
    assert tokens_of(Path(back)) == words
    if not sidecar:
        Path(f"{back}.jsonl").unlink()
    assert main(["conll-to-label-studio", back, again, "--as", "annotations"]) == 0
    assert without_ids(Path(again)) == without_ids(Path(tasks))


def without_ids(file: Path) -> list[dict[str, Any]]:
    """Tasks apart from the name of the document, which is its number in a file without a sidecar."""
    tasks: list[dict[str, Any]] = json.loads(file.read_text())
    return [task | {"meta": task["meta"] | {"source_id": ""}} for task in tasks]


def tokens_of(file: Path) -> list[list[str]]:
    sentences = [block.splitlines() for block in file.read_text().split("\n\n")]
    return [
        [row.split(" ")[0] for row in sentence]
        for sentence in sentences
        if sentence and not sentence[0].startswith("-DOCSTART-")
    ]


def test_line_ends_of_other_texts_end_no_sentence(config: Path, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(json.dumps([task(1, "a soft\nline break", (2, 6, "Dish"))]))
    arguments = ["label-studio-to-conll", str(tmp_path / "e.json"), str(tmp_path / "o.conll"), "--config", str(config)]
    assert main(arguments) == 0
    assert tokens_of(tmp_path / "o.conll") == [["a", "soft", "line", "break"]]
    assert main([*arguments, "--sentence-per-line"]) == 0
    assert tokens_of(tmp_path / "o.conll") == [["a", "soft"], ["line", "break"]]


def test_what_was_read_and_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, report = tmp_path / "x.conll", tmp_path / "r.json"
    file.write_text("-DOCSTART-\n\n1\tAna\tI-PER\n2\tleft\tO\n3\tBo\tB-PER\n\n1\tCy\tB-PER\n")
    assert main(["conll-to-label-studio", str(file), str(tmp_path / "o.json"), "--report", str(report)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "Tokens in column 2, tags in column 3 (written B-LABEL, IOB2), of 3 separated by tabs; "
        "column 1 counts the rows.",
        "One -DOCSTART- begins the whole file, so each sentence is a document.",
        "1 tags broke the rules of IOB2, first near line 3, and were repaired.",
        "2 documents with 2 sentences, 4 tokens and 3 entities read; 2 tasks with predictions and 3 entities written.",
    ]
    read = json.loads(report.read_text())["conll"]
    assert (read["columns"]["token"], read["columns"]["tag"], read["illegal_tags"]) == (2, 3, 1)


def test_types_without_prefix_are_named_in_the_report(tmp_path: Path) -> None:
    file, report = tmp_path / "x.conll", tmp_path / "r.json"
    file.write_text("Ana PERSON\nBo PERSON\nran O\n")
    assert main(["conll-to-label-studio", str(file), str(tmp_path / "o.json"), "--report", str(report)]) == 0
    assert "touch cannot be told apart" in report.read_text()


@pytest.mark.parametrize("command", ["conll-to-label-studio", "conll-to-config", "stats"])
def test_options_of_columns_label_and_encoding_are_those_of_every_reader(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.conll"
    file.write_text("B X España\nO Y a\n", encoding="latin-1")
    out = [] if command == "stats" else [str(tmp_path / "out")]
    options = ["--encoding", "latin-1", "--token-column", "-1", "--tag-column", "1", "--label", "LOC"]
    assert main([command, str(file), *out, *options]) == 0
    written = capsys.readouterr()
    assert written.err.startswith("Tokens in column 3, tags in column 1")
    assert "LOC" in (Path(out[0]).read_text() if out else written.out)


def test_document_with_an_unknown_label_becomes_no_annotation(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "x.conll", tmp_path / "o.json"
    file.write_text("sushi B-Dish\nAna B-PER\n\npizza B-Dish\n")
    command = ["conll-to-label-studio", str(file), str(out), "--config", str(config), "--as"]
    assert main([*command, "annotations"]) == 0
    assert [task["data"]["text"] for task in json.loads(out.read_text())] == ["pizza"]
    assert "'PER' is not in the labelling configuration" in capsys.readouterr().err
    assert main([*command, "predictions"]) == 0
    assert [len(task["predictions"][0]["result"]) for task in json.loads(out.read_text())] == [1, 1]


def test_stats_count_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.conll"
    file.write_text("I-Dish\tramen\nO\tin\n\nB-Dish\ttacos\nI-Dish\tal\nI-Dish\tpastor\nI-Price\tcheap\n")
    assert main(["stats", str(file), "--json"]) == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["entities"] == {"Dish": 2, "Price": 1}
    assert (stats["sentences"], stats["tokens"], stats["layout"]) == (2, 6, "tag first")
    assert main(["stats", str(file)]) == 0
    assert "tokens" in capsys.readouterr().out


def test_document_of_several_sentences_is_counted_as_one_where_a_sidecar_says_so(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.conll"
    (tmp_path / "e.json").write_text(json.dumps([task(1, "Nice. Go!", (0, 4, "Dish"))]))
    assert main(["label-studio-to-conll", str(tmp_path / "e.json"), str(out), "--config", str(config)]) == 0
    assert main(["stats", str(out), "--json"]) == 0
    Path(f"{out}.jsonl").unlink()
    assert main(["stats", str(out), "--json"]) == 0
    assert [json.loads(line)["documents"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stats", "{tmp}/none.conll"], "none.conll: No such file"),
        (["stats", "{tmp}/bad.conll"], "Line 2"),
        (["label-studio-to-conll", "{tmp}/bad.json", "{tmp}/o.conll"], "JSON"),
        (["label-studio-to-conll", "{tmp}/empty.json", "{tmp}/o.conll"], "--config"),
        (["label-studio-to-conll", "{tmp}/empty.json", "{tmp}/o.conll", "--config", "{tmp}/bad.json"], "configuration"),
        (["conll-to-label-studio", "{tmp}/none.conll", "{tmp}/o.json"], "none.conll: No such file"),
        (
            ["label-studio-to-conll", "{tmp}/unlabelled.json", "{tmp}/o.conll", "--config", "{tmp}/c.xml"],
            "1 not labelled",
        ),
        (["label-studio-to-conll", "{tmp}/unknown.json", "{tmp}/o.conll", "--config", "{tmp}/c.xml"], "'Nope'"),
        (
            [
                "label-studio-to-conll",
                "{tmp}/unknown.json",
                "{tmp}/o.conll",
                "--config={tmp}/c.xml",
                "--map-label=Nope=No",
            ],
            "no label 'No', use one of its labels: Amenity",
        ),
        (["label-studio-to-conll", "{tmp}/export.csv", "{tmp}/o.conll"], "Label Studio's CSV export"),
        (["label-studio-to-conll", "{tmp}/good.conll", "{tmp}/o.conll"], "conll-to-label-studio reads it"),
        (["label-studio-to-conll", "{tmp}/c.xml", "{tmp}/o.conll"], "give it as --config"),
        (["conll-to-label-studio", "{tmp}/unknown.json", "{tmp}/o.json"], "use label-studio-to-conll"),
        (["conll-to-label-studio", "{tmp}/export.csv", "{tmp}/o.json"], "Label Studio's CSV export"),
        (["conll-to-label-studio", "{tmp}/good.conll", "{tmp}/o.json", "--config", "{tmp}/c.xml"], "'PER' is not in"),
        (["conll-to-label-studio", "{tmp}/outside.conll", "{tmp}/o.json"], "give the project's with --config"),
        (["conll-to-label-studio", "{tmp}/headers.conll", "{tmp}/o.json", "--config", "{tmp}/c.xml"], "no word"),
        (["stats", "{tmp}/good.conll", "--encoding", "latinx"], "no encoding 'latinx'"),
        (["stats", "{tmp}/good.conll", "--tag-column", "3"], "1 to 2"),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_no_file(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.conll").write_text("a -X- _ O\nb -X- O\n")
    (tmp_path / "bad.json").write_text('[{"id": 1,')
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "unlabelled.json").write_text('[{"id": 1, "data": {"text": "a"}}]')
    (tmp_path / "unknown.json").write_text(json.dumps([UNKNOWN]))
    (tmp_path / "export.csv").write_text("annotation_id,annotator,id,label,lead_time,text\n1,1,1,[],2.5,Ana left\n")
    (tmp_path / "good.conll").write_text("Ana B-PER\nleft O\n")
    (tmp_path / "outside.conll").write_text("Ana O\nleft O\n")
    (tmp_path / "headers.conll").write_text("-DOCSTART-\n\n-DOCSTART-\n")
    (tmp_path / "c.xml").write_text(template("restaurant"))
    before = set(tmp_path.iterdir())
    assert main([part.format(tmp=tmp_path) for part in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert says in error
    assert error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "tags"),
    [
        ([], ["O O", "B-Dish O"]),
        (["--unknown-labels", "keep"], ["B-Nope O", "O O", "B-Dish O"]),
        (["--map-label", "Nope=Cuisine"], ["B-Cuisine O", "O O", "B-Dish O"]),
    ],
)
def test_text_with_an_unknown_label_is_left_out_kept_or_mapped(
    options: list[str], tags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export, config, conll = tmp_path / "e.json", tmp_path / "c.xml", tmp_path / "o.conll"
    tasks = [task(9, "sushi here", (0, 5, "Nope")), task(10, "nothing here"), task(11, "ramen here", (0, 5, "Dish"))]
    export.write_text(json.dumps(tasks))
    config.write_text(template("restaurant"))
    assert main(["label-studio-to-conll", str(export), str(conll), "--config", str(config), *options]) == 0
    with conll.open() as stream:
        sentences = [sentence for document in read_conll(stream) for sentence in document.sentences]
    assert [" ".join(sentence.tags) for sentence in sentences] == tags
    assert "Nope" in capsys.readouterr().err


def test_an_export_with_several_text_fields_asks_for_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_fields = task(1, "a b", (0, 1, "X"))
    two_fields["data"] = {"left": "a b", "right": "a c"}
    (tmp_path / "e.json").write_text(json.dumps([two_fields]))
    assert main(["label-studio-to-conll", str(tmp_path / "e.json"), str(tmp_path / "o.conll")]) == 1
    assert "left, right" in capsys.readouterr().err
