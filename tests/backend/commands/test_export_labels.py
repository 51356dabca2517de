from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import load_from_disk

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.store import Store
from converters.phrases import Phrase
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID, FakeLabelStudio


@pytest.fixture
def studio(studio: FakeLabelStudio) -> FakeLabelStudio:
    studio.texts = {1: "sushi near me", 2: "more sushi"}
    studio.annotate(1, 2)
    return studio


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        ([], "-DOCSTART- -X- O O\n\nsushi -X- _ B-Dish\nnear -X- _ O\nme -X- _ O\n\n"),
        (["--format", "conll"], "-DOCSTART- -X- O O\n\nsushi -X- _ B-Dish\nnear -X- _ O\nme -X- _ O\n\n"),
        (["--format", "bio"], "sushi B-Dish\nnear O\nme O\n\n"),
    ],
)
def test_labels_are_written_as_rows(
    form: list[str], rows: str, command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    result = command("export", "--project", "7", "out.conll", *form)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.conll").read_text().startswith(rows)
    assert (tmp_path / "out.conll.jsonl").exists() == (form != ["--format", "bio"])
    assert result.stderr.endswith("2 documents, 5 tokens, 2 entities written.\n")


def test_phrases_are_written_with_their_labels(
    command: Command, studio: FakeLabelStudio, store: Store, tmp_path: Path
) -> None:
    studio.texts = {1: "sushi near me", 2: "sushi again", 3: "ramen bar"}
    studio.annotate(3)
    store.projects.save(UID)
    store.phrases.give(UID, [Phrase("pad thai", "Dish"), Phrase("near", "Location")])
    result = command("export", "--project", "7", "phrases.tsv", "--format", "phrases")
    assert (tmp_path / "phrases.tsv").read_text() == "sushi\tDish\nnear\tLocation\npad thai\tDish\nramen\tDish\n"
    assert result.stderr.endswith("4 phrases of 3 documents written.\n")


def test_tasks_are_written_as_label_studio_gives_them(
    command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    command("export", "--project", "7", "out.json", "--format", "json")
    assert json.loads((tmp_path / "out.json").read_text()) == studio.labelled_tasks(7)
    studio.owners.clear()
    command("export", "--project", "7", "out.json", "--format", "json")
    assert json.loads((tmp_path / "out.json").read_text()) == []


def test_labels_are_written_as_a_data_set(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    result = command("export", "--project", "7", "data", "--format", "datasets")
    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("2 documents, 5 tokens, 2 entities written.\n")
    assert "Rows: 2 in train, 0 in validation, 0 in test.\n" in result.stderr
    train = load_from_disk(tmp_path / "data")["train"]
    names = train.features["ner_tags"].feature.names
    assert [(row["id"], row["tokens"], [names[tag] for tag in row["ner_tags"]]) for row in train] == [
        ("1-1", ["sushi", "near", "me"], ["B-Dish", "O", "O"]),
        ("2-1", ["more", "sushi"], ["B-Dish", "O"]),
    ]


@pytest.mark.parametrize(("options", "tags"), [([], None), (["--unknown-labels", "keep"], ["B-Wine", "O"])])
def test_text_with_an_unknown_label_is_in_no_data_set_unless_it_is_kept(
    options: list[str], tags: list[str] | None, command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    studio.labels[2] = "Wine"
    result = command("export", "--project", "7", "data", "--format", "datasets", *options)
    assert "unknown labels: Wine (1)" in result.stderr
    train = load_from_disk(tmp_path / "data")["train"]
    names = train.features["ner_tags"].feature.names
    assert [[names[tag] for tag in row["ner_tags"]] for row in train][1:] == ([tags] if tags else [])


def test_data_set_without_any_document_does_not_replace_the_earlier(
    command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    command("export", "--project", "7", "data", "--format", "datasets")
    studio.labels = {1: "Wine", 2: "Wine"}
    result = command("export", "--project", "7", "data", "--format", "datasets")
    assert result.exit_code == 1
    assert "0 documents could be written of 2 labelled tasks" in result.stderr
    assert len(load_from_disk(tmp_path / "data")["train"]) == 2


@pytest.mark.parametrize(
    ("output", "says"),
    [("-", "cannot be written to standard output"), ("notes", "is a file: choose another folder for the data set.")],
)
def test_place_that_cannot_hold_a_data_set_is_refused_before_anything_is_read(
    output: str, says: str, command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("mine")
    studio.down = LabelStudioUnreachable("Label Studio does not answer.")
    result = command("export", "--project", "7", output, "--format", "datasets")
    assert (result.exit_code, says in result.stderr) == (1, True)


def test_labels_of_another_project_with_the_same_number_are_not_written(
    command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    studio.uid = "7.1800000000"
    result = command("export", "--project", "7.1795221978", "out.conll")
    assert result.exit_code == 1
    assert "not the one this model was trained for" in result.stderr
    assert not (tmp_path / "out.conll").exists()
    assert command("export", "--project", "7.1800000000", "out.conll").exit_code == 0


@pytest.mark.parametrize("form", ["conll", "bio", "json"])
def test_report_names_what_was_left_out(form: str, command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.labels[2] = "Wine"
    command("export", "--project", "7", "out", "--format", form, "--report", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["tasks"], report["problems"]) == (2, {"unknown_label": 1})
    assert report["issues"][0]["task"] == "2"


def test_standard_output_holds_the_rows_alone(command: Command, studio: FakeLabelStudio) -> None:
    assert command("export", "--project", "7", "-", "--format", "bio").stdout.startswith("sushi B-Dish\nnear O\n")


def test_folder_that_does_not_exist_is_one_sentence(command: Command, studio: FakeLabelStudio) -> None:
    result = command("export", "--project", "7", "nowhere/out.conll")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: nowhere/")
    assert result.stderr.endswith(": No such file or directory\n")


def test_label_studio_that_is_away_is_one_sentence(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.down = LabelStudioUnreachable("Label Studio does not answer: check that it runs.")
    result = command("export", "--project", "7", "out.conll")
    assert (result.exit_code, result.output) == (1, "Error: Label Studio does not answer: check that it runs.\n")
    assert not (tmp_path / "out.conll").exists()


def test_result_file_holds_the_counts(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    assert command("export", "--project", "7", "out.conll", "--result", "result.json").exit_code == 0
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "documents": 2,
        "tokens": 5,
        "entities": 2,
        "left_out": 0,
        "losses": [],
    }


@pytest.mark.parametrize(
    ("target", "error", "kind", "sentence"),
    [
        (
            "out.conll",
            LabelStudioRefused("Label Studio refuses the access token."),
            "LabelStudioRefused",
            "Label Studio",
        ),
        ("nowhere/out.conll", None, "FileNotFoundError", "nowhere/"),
    ],
)
def test_result_file_holds_the_error_and_its_kind(
    target: str, error: LabelStudioError | None, kind: str, sentence: str,
    command: Command, studio: FakeLabelStudio, tmp_path: Path,
) -> None:  # fmt: skip
    studio.down = error
    result = command("export", "--project", "7", target, "--result", "result.json")
    assert result.exit_code == 1
    report = json.loads((tmp_path / "result.json").read_text())
    assert (report["kind"], set(report)) == (kind, {"kind", "error"})
    assert report["error"].startswith(sentence)
    assert result.stderr.endswith(f"Error: {report['error']}\n")


def test_unsupported_configuration_is_reported(command: Command, studio: FakeLabelStudio, tmp_path: Path) -> None:
    studio.label_config = "<View/>"
    assert command("export", "--project", "7", "out.conll", "--result", "result.json").exit_code == 1
    assert json.loads((tmp_path / "result.json").read_text())["kind"] == "UnsupportedLabelConfig"


def test_crash_leaves_no_result_file(
    command: Command, studio: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(studio, "labelled_tasks", crash)
    result = command("export", "--project", "7", "out.conll", "--result", "result.json")
    assert isinstance(result.exception, RuntimeError)
    assert list(tmp_path.glob("*result*")) == []


# Regions that cannot be read


@pytest.fixture
def with_old_label(studio: FakeLabelStudio) -> FakeLabelStudio:
    """The region of task 2 carries a label that the configuration does not have."""
    studio.labels[2] = "Wine"
    return studio


def test_text_with_an_unknown_label_is_left_out_and_named(
    command: Command, with_old_label: FakeLabelStudio, tmp_path: Path
) -> None:
    result = command("export", "--project", "7", "out.bio", "--format", "bio", "--result", "result.json")
    assert result.exit_code == 0
    assert (tmp_path / "out.bio").read_text() == "sushi B-Dish\nnear O\nme O\n\n"
    assert "label not in the configuration 1× (task 2: 'Wine'" in result.stderr
    counts = json.loads((tmp_path / "result.json").read_text())
    assert (counts["documents"], counts["left_out"]) == (1, 1)
    assert counts["losses"][0].startswith("1 region carries the label Wine, which the configuration no longer has")


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--unknown-labels", "keep"], "more B-Wine\nsushi O\n\n"),
        (["--map-label", "Wine=Dish"], "more B-Dish\nsushi O\n\n"),
    ],
)
def test_text_with_an_unknown_label_is_written_on_request(
    options: list[str], rows: str, command: Command, with_old_label: FakeLabelStudio, store: Store, tmp_path: Path
) -> None:
    assert command("export", "--project", "7", "out.bio", "--format", "bio", *options).exit_code == 0
    assert (tmp_path / "out.bio").read_text().endswith(rows)
    assert [project.label_map for project in store.projects.all()] in ([], [None])  # for this export alone


def test_mappings_of_the_project_are_used(
    command: Command, with_old_label: FakeLabelStudio, store: Store, registered: str, tmp_path: Path
) -> None:
    store.projects.save(registered, label_map={"Wine": "Dish"})
    command("export", "--project", "7", "out.bio", "--format", "bio")
    assert "more B-Dish" in (tmp_path / "out.bio").read_text()
    command("export", "--project", "7", "out.bio", "--format", "bio", "--map-label", "Wine=Cuisine")
    assert "more B-Cuisine" in (tmp_path / "out.bio").read_text()


def test_mapping_to_a_label_that_is_not_there_names_the_labels(
    command: Command, with_old_label: FakeLabelStudio
) -> None:
    result = command("export", "--project", "7", "-", "--map-label", "Wine=Beer")
    assert result.exit_code == 1
    assert "no label 'Beer', use one of its labels: Dish, Cuisine, Location." in result.stderr


@pytest.mark.parametrize("form", ["conll", "bio"])
def test_export_of_nothing_fails_with_the_reason(form: str, command: Command, studio: FakeLabelStudio) -> None:
    studio.labels = {1: "Wine", 2: "Wine"}
    result = command("export", "--project", "7", "out", "--format", form)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: 0 documents could be written of 2 labelled tasks: 2 regions carry the label Wine, which the "
        "configuration no longer has: rename it back, or map it; 2 texts are left out, because a region on them could "
        "not be read."
    )


def test_json_of_regions_that_cannot_be_read_is_written(command: Command, studio: FakeLabelStudio) -> None:
    studio.labels = {1: "Wine", 2: "Wine"}
    assert command("export", "--project", "7", "out", "--format", "json").exit_code == 0


def test_export_of_a_project_without_labels_is_empty(command: Command, studio: FakeLabelStudio) -> None:
    studio.owners.clear()
    assert command("export", "--project", "7", "out").exit_code == 0
