"""One training run from its row to its end.

What building a version does is in ``test_build.py``; a run as a process of its own, and without an answer from Label
Studio, in ``tests/backend/test_worker.py``.
"""

from __future__ import annotations

import os
import re
import resource
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend.conversion import Conversion, Use
from backend.errors import BaseModelUnavailable, NotEnoughLabels
from backend.evaluation.evaluate import score_documents
from backend.evaluation.verdict import describe
from backend.loop import Loop
from backend.settings import Settings
from backend.store import Store
from backend.store.data_state import Annotator, DataState
from backend.store.models import TOO_FEW_LABELS, Run, Version
from backend.training import run as module
from backend.training.build import BuiltVersion
from backend.training.split import split, subset_of
from converters.tagged import UNKNOWN, tag_document
from tests.backend.fakes import LABEL_CONFIG, LABELS, UID, FakeLabelStudio

Publish = Callable[..., Version]
Train = Callable[..., Run]


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(label_studio_api_key="0" * 40, baseline_model_name="embedded")


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    studio = FakeLabelStudio(tasks=80)
    studio.annotate(*range(1, 81))
    monkeypatch.setattr(module, "open_label_studio", lambda settings, project: studio)
    return studio


@pytest.fixture
def train(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """Carry out a run in this process, with the settings in its environment; return its row."""

    def train(settings: Settings = settings) -> Run:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)  # no .env of a developer
        monkeypatch.setattr(os, "nice", lambda increment: increment)
        store.projects.save(UID, label_config=LABEL_CONFIG)
        store.runs.queue(UID, "test")
        run = store.runs.claim()
        assert run is not None
        module.main(run.id)
        assert not list(settings.model_dir.glob(".staging/*"))
        return store.runs.get(run.id)

    return train


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Make versions without training, which find all that is held out or nothing; the list says of how many documents
    each was made."""

    def build(*, right: bool = True, during: Callable[[], object] = lambda: None) -> list[int]:
        built: list[int] = []

        def build_version(
            documents: Any, *, labels: Any, name: str, folder: Path, progress: Any, **_: Any
        ) -> BuiltVersion:
            progress("training", 0.5)
            (folder / "config.json").write_text("{}")
            during()
            progress("exporting", 0.0)
            built.append(len(documents))
            test = split([tag_document(document) for document in documents]).test
            predicted = [["O" if tag == UNKNOWN or not right else tag for tag in document.tags] for document in test]
            metrics = score_documents(test, predicted)
            return BuiltVersion(folder, tuple(labels), test, predicted, metrics, {"name": name})

        monkeypatch.setattr("backend.training.build.build_version", build_version)
        return built

    return build


# Label Studio


class _Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status_code": 401, "detail": "Invalid token."}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    """Address of a Label Studio that knows no token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_refused_token_fails_the_run_naming_the_key(
    refusing: str, make_settings: Callable[..., Settings], train: Train
) -> None:
    token = "1" * 40
    run = train(make_settings(label_studio_url=refusing, label_studio_api_key=token))
    assert run.state == "failed"
    assert run.error is not None
    assert run.error.startswith(f"Label Studio at {refusing} refuses the access token (401: Invalid token.)")
    assert "LABEL_STUDIO_API_KEY" in run.error
    assert token not in run.error


def test_missing_token_fails_the_run_naming_the_key(make_settings: Callable[..., Settings], train: Train) -> None:
    assert "set LABEL_STUDIO_API_KEY" in (train(make_settings()).error or "")


def test_recreated_project_of_the_same_number_is_not_trained_on(studio: FakeLabelStudio, train: Train) -> None:
    studio.uid = "7.1999999999"
    error = train().error or ""
    assert "Project 7 in Label Studio is not the one this model was trained for" in error
    assert f"it is 7.1999999999, the model belongs to {UID}" in error


def test_project_that_cannot_be_labelled_fails_the_run(studio: FakeLabelStudio, train: Train) -> None:
    studio.label_config = "<View></View>"
    assert "no <Labels> control" in (train().error or "")


def test_project_without_labels_fails_the_run(studio: FakeLabelStudio, store: Store, train: Train) -> None:
    studio.owners.clear()
    store.projects.save(UID)
    store.changes.record(UID, ["1"])
    run = train()
    assert (run.state, run.error_kind, run.documents) == ("failed", TOO_FEW_LABELS, 0)
    assert run.error == "There are 0 labelled tasks: label more tasks, then start training again."
    assert store.changes.count(UID) == 1


# Outcomes


def test_first_version_is_published_and_promoted(
    studio: FakeLabelStudio, store: Store, settings: Settings, build: Callable[..., list[int]], train: Train
) -> None:
    built = build()
    store.projects.save(UID)
    store.changes.record(UID, ["1", "2"])
    run = train()
    assert (run.state, run.version, run.progress, run.documents) == ("finished", "ner-v1", 1.0, 80)
    assert built == [80]
    version = store.versions.get(UID, "ner-v1")
    assert (version.run, version.labels, version.metrics["f1"]) == (run.id, list(LABELS), 1.0)
    score = "F1 unknown: only 6 held-out tasks, 24 more are needed"
    assert describe(version) == f"promoted: there is no current version to compare with; {score}"
    assert (settings.model_dir / UID / "ner-v1" / "config.json").is_file()
    project = store.projects.get(UID)
    assert (project.current_version, project.title) == ("ner-v1", "Restaurants")
    assert store.syncs.pending(UID) == 1
    assert store.changes.count(UID) == 0
    assert store.annotations.of(UID) == studio.owners


def test_worse_version_is_kept_and_not_promoted(
    studio: FakeLabelStudio, store: Store, publish: Publish, fake_models: list[str], build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    publish("ner-v1")
    requested = store.syncs.pending(UID)
    build(right=False)
    run = train()
    assert (run.state, run.version) == ("finished", "ner-v2")
    assert store.projects.get(UID).current_version == "ner-v1"
    assert describe(store.versions.get(UID, "ner-v2")).startswith("rejected: much worse than ner-v1")
    assert store.syncs.pending(UID) == requested
    assert fake_models == ["ner-v1"]


def test_version_with_new_labels_is_promoted_whatever_its_figures(
    studio: FakeLabelStudio, store: Store, publish: Publish, fake_models: list[str], build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    publish("ner-v1", labels=("Dish",))
    build(right=False)
    train()
    assert store.projects.get(UID).current_version == "ner-v2"
    assert "it has labels that ner-v1 lacks" in describe(store.versions.get(UID, "ner-v2"))


def test_current_version_that_cannot_be_opened_is_replaced(
    studio: FakeLabelStudio, store: Store, publish: Publish, build: Callable[..., list[int]], train: Train
) -> None:
    publish("ner-v1")  # an empty folder
    build(right=False)
    train()
    assert store.projects.get(UID).current_version == "ner-v2"


@pytest.mark.parametrize(
    ("tasks", "right", "current", "verdict"),
    [
        (400, False, None, "rejected: F1 0.000 against 1.000 of the phrases marked so far on the same"),
        (400, True, "ner-v1", "promoted: F1 1.000 against 1.000 of the phrases marked so far on the same"),
        (80, False, "ner-v1", "promoted: there is no current version to compare with; F1 unknown: only "),
    ],
)
def test_first_version_is_compared_with_phrases_where_enough_tasks_are_held_out(
    tasks: int, right: bool, current: str | None, verdict: str, studio: FakeLabelStudio, store: Store,
    build: Callable[..., list[int]], train: Train,
) -> None:  # fmt: skip
    studio.texts = {number: f"sushi number {number}" for number in range(1, tasks + 1)}
    studio.annotate(*range(1, tasks + 1))
    build(right=right)
    assert train().state == "finished"
    assert describe(store.versions.get(UID, "ner-v1")).startswith(verdict)
    assert store.projects.get(UID).current_version == current


def test_phrases_of_held_out_tasks_are_not_known_to_the_gate(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train
) -> None:
    studio.texts = {number: f"{number:05} on the menu" for number in range(1, 401)}
    studio.annotate(*range(1, 401))
    build(right=True)
    train()
    assert "against 0.000 of the phrases marked so far" in describe(store.versions.get(UID, "ner-v1"))


def test_labels_that_change_during_a_run_wait_for_the_next(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train
) -> None:
    store.projects.save(UID)
    store.changes.record(UID, ["1", "2", "3"])
    build(during=lambda: store.changes.record(UID, ["3", "4"]))
    train()
    assert store.changes.count(UID) == 2


def test_cancelled_run_publishes_nothing(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train
) -> None:
    build(during=lambda: store.runs.end(store.runs.latest()[0].id, "cancelled"))
    run = train()
    assert (run.state, run.error) == ("cancelled", None)
    assert store.versions.of(UID) == []


def test_run_cancelled_while_it_publishes_leaves_the_current_version(
    studio: FakeLabelStudio, store: Store, settings: Settings, publish: Publish, fake_models: list[str],
    build: Callable[..., list[int]], train: Train, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publish("ner-v1")
    store.changes.record(UID, ["1"])
    build()

    def flush(folder: Path) -> None:
        store.runs.end(store.runs.latest()[0].id, "cancelled")

    monkeypatch.setattr("backend.registry._flush", flush)
    assert train().state == "cancelled"
    assert [version.name for version in store.versions.of(UID)] == ["ner-v1"]
    assert store.projects.current_version(UID) == "ner-v1"
    assert not (settings.model_dir / UID / "ner-v2").exists()
    assert store.changes.count(UID) == 1


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Writes beyond 4 MB of a file fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 10**6, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_run_on_a_full_disk_fails_with_the_remedy_and_leaves_the_current_version(
    studio: FakeLabelStudio, store: Store, settings: Settings, publish: Publish, fake_models: list[str],
    build: Callable[..., list[int]], train: Train,
) -> None:  # fmt: skip
    publish("ner-v1")

    def write() -> None:
        (checkpoints,) = settings.model_dir.glob(".staging/*/version")
        save_file({"weight": np.zeros(2_000_000, np.float32)}, checkpoints / "model.safetensors")

    build(during=write)
    run = train()
    assert run.state == "failed"
    assert re.fullmatch(
        rf"Training may not write files as large as a model below {settings.model_dir}, where \d+\.\d GB are free: "
        r"raise its limit on file sizes \(`ulimit -f`\), then start training again\.",
        run.error or "",
    )
    assert store.projects.current_version(UID) == "ner-v1"
    assert [version.name for version in store.versions.of(UID)] == ["ner-v1"]


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (BaseModelUnavailable("The base model cannot be had."), "The base model cannot be had."),
        (RuntimeError("boom"), "RuntimeError: boom"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."),
            "Memory ran out during training: lower TRAIN_BATCH_SIZE, choose a smaller BASELINE_MODEL_NAME, "
            "or give training more memory.",
        ),
    ],
)
def test_failure_is_written_to_the_run(
    failure: Exception, sentence: str, studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    def fail() -> None:
        raise failure

    build(during=fail)
    run = train()
    assert (run.state, run.error, run.error_kind) == ("failed", sentence, None)
    assert store.versions.of(UID) == []
    assert store.projects.get(UID).current_version is None


# Regions that cannot be used


RENAMED = LABEL_CONFIG.replace("Cuisine", "CUISINE")


def drawn_as_cuisine(studio: FakeLabelStudio, *tasks: int) -> None:
    """The regions of these tasks carry the label Cuisine, as it was called when they were drawn."""
    studio.labels |= dict.fromkeys(tasks, "Cuisine")


@pytest.mark.parametrize("renamed_regions", [2, 40], ids=["rare label", "frequent label"])
def test_good_version_keeps_serving_until_the_renamed_label_is_mapped(
    renamed_regions: int, studio: FakeLabelStudio, store: Store, loop: Loop, publish: Publish, fake_models: list[str],
    build: Callable[..., list[int]], train: Train,
) -> None:  # fmt: skip
    drawn_as_cuisine(studio, *range(1, renamed_regions + 1))
    publish("ner-v1")
    build()
    train()
    assert store.projects.get(UID).current_version == "ner-v2"  # before the label is renamed

    studio.label_config = RENAMED
    run = train()
    assert (run.state, run.version) == ("finished", "ner-v3")
    assert store.projects.get(UID).current_version == "ner-v2"
    carry = f"{renamed_regions} regions carry the label Cuisine, which"
    assert describe(store.versions.get(UID, "ner-v3")) == (
        f"rejected: {carry} ner-v2 knows and the configuration no longer has: rename it back, or map it; "
        f"{renamed_regions} of 80 regions could not be used"
    )
    overview = loop.overview(UID)
    assert overview.conversion is not None
    assert overview.conversion.total == Use(80, 80, 80, 80 - renamed_regions)
    assert overview.loss_sentences == [f"{carry} the configuration no longer has: rename it back, or map it"]
    tasks = overview.conversion.losses[0].tasks
    assert len(tasks) == min(renamed_regions, 20)
    assert set(tasks) <= {str(task) for task in range(1, renamed_regions + 1)}

    loop.map_label(UID, "Cuisine", "CUISINE")
    assert loop.overview(UID).newly_mapped == {"Cuisine": "CUISINE"}
    run = train()
    assert store.projects.get(UID).current_version == run.version == "ner-v4"
    overview = loop.overview(UID)
    assert overview.conversion is not None
    assert (overview.conversion.total, overview.loss_sentences) == (Use(80, 80, 80, 80), [])
    assert [(kind.problem, kind.count) for kind in overview.conversion.repairs] == [("renamed_label", renamed_regions)]


def test_mapping_without_an_effect_is_named_and_is_not_pending(
    studio: FakeLabelStudio, loop: Loop, fake_models: list[str], build: Callable[..., list[int]], train: Train
) -> None:
    other_text = '<Labels name="l" toName="note"><Label value="Town"/></Labels><Text name="note" value="$note"/></View>'
    studio.label_config = LABEL_CONFIG.replace("</View>", other_text)
    studio.labels |= dict.fromkeys(range(1, 31), "Old")
    loop.register_project(UID, label_config=studio.label_config)
    loop.map_label(UID, "Old", "Town")
    build()
    train()
    overview = loop.overview(UID)
    assert overview.loss_sentences == [
        "30 regions carry the label Old, which is read as Town, but the text they are on, text, does not offer Town: "
        "map it to one of its labels (Dish, Cuisine, Location), or add Town to them"
    ]
    assert (overview.has_losses, overview.newly_mapped) == (True, {})

    loop.map_label(UID, "Old", "Dish")
    overview = loop.overview(UID)
    assert (overview.loss_sentences, overview.newly_mapped) == ([], {"Old": "Dish"})
    train()
    overview = loop.overview(UID)
    assert overview.conversion is not None
    assert (overview.conversion.total.lost_regions, overview.newly_mapped) == (0, {})


def test_first_version_without_most_regions_waits_for_a_person_who_decides_for_later_ones_too(
    studio: FakeLabelStudio, store: Store, loop: Loop, fake_models: list[str], build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    studio.label_config = RENAMED
    drawn_as_cuisine(studio, *range(1, 21))
    build()
    train()
    assert store.projects.get(UID).current_version is None
    verdict = describe(store.versions.get(UID, "ner-v1"))
    assert verdict.startswith("rejected: 20 of 80 regions could not be used")
    assert "; 20 regions carry the label Cuisine, which the configuration no longer has: rename it back" in verdict
    loop.promote(UID, "ner-v1", actor="dashboard")
    train()
    assert store.projects.get(UID).current_version == "ner-v2"
    decision = store.versions.get(UID, "ner-v2").decision
    assert decision is not None
    assert (decision.regions, decision.regions_used, decision.max_lost_regions) == (80, 60, 0.1)
    assert "; 20 of 80 regions are not used, as accepted " in describe(store.versions.get(UID, "ner-v2"))
    drawn_as_cuisine(studio, 21)
    train()
    assert store.projects.get(UID).current_version == "ner-v2"


def test_setting_says_how_many_regions_may_be_lost(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train,
    make_settings: Callable[..., Settings],
) -> None:  # fmt: skip
    studio.label_config = RENAMED
    drawn_as_cuisine(studio, *range(1, 21))
    build()
    train(make_settings(label_studio_api_key="0" * 40, baseline_model_name="embedded", max_lost_regions=0.3))
    assert store.projects.get(UID).current_version == "ner-v1"


def test_run_without_a_usable_region_fails_naming_the_labels(studio: FakeLabelStudio, train: Train) -> None:
    studio.labels = dict.fromkeys(range(1, 61), "Person") | dict.fromkeys(range(61, 81), "Place")
    run = train()
    assert (run.state, run.documents) == ("failed", 80)
    assert run.error == (
        "80 labelled tasks with 80 regions, of which none can be used: 60 regions carry the label Person, which the "
        "configuration no longer has: rename it back, or map it; 20 regions carry the label Place, which the "
        "configuration no longer has: rename it back, or map it."
    )
    assert run.conversion is not None
    assert Conversion.from_dict(run.conversion).unknown_labels == {"Person": 60, "Place": 20}


def test_run_whose_tasks_have_no_text_fails_with_that_reason(studio: FakeLabelStudio, train: Train) -> None:
    studio.label_config = LABEL_CONFIG.replace("$text", "$body")
    run = train()
    assert run.error is not None
    assert run.error.startswith("80 labelled tasks with 80 regions, of which none can be used: no text (80), for ")
    assert run.error.endswith(": data has no text under 'body'.")


def test_too_few_labels_are_explained_with_what_could_not_be_used(
    studio: FakeLabelStudio, build: Callable[..., list[int]], train: Train
) -> None:
    studio.labels = dict.fromkeys(range(1, 80), "Person")

    def fail() -> None:
        raise NotEnoughLabels("The training set has no region.")

    build(during=fail)
    assert train().error == (
        "The training set has no region. What could not be used: 79 regions carry the label Person, which the "
        "configuration no longer has: rename it back, or map it."
    )


def test_regions_that_become_no_tags_are_losses(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tasks = studio.labelled_tasks(7)
    inner = {"from_name": "label", "to_name": "text", "type": "labels"}
    for task in tasks[:4]:
        value = {"start": 1, "end": 3, "text": "us", "labels": ["Location"]}
        task["annotations"][0]["result"].append({**inner, "value": value})
    monkeypatch.setattr(studio, "labelled_tasks", lambda project: tasks)
    build()
    run = train()
    assert run.conversion is not None
    conversion = Conversion.from_dict(run.conversion)
    assert (conversion.total.regions, conversion.total.regions_used) == (84, 80)
    assert [(kind.problem, kind.count, kind.tasks) for kind in conversion.losses] == [
        ("overlap", 4, ["1", "2", "3", "4"])
    ]


# The state of the data


@pytest.mark.parametrize("ended", ["finished", "failed"])
def test_each_run_stores_the_state_of_the_data(
    studio: FakeLabelStudio, store: Store, build: Callable[..., list[int]], train: Train, ended: str
) -> None:
    studio.authors, studio.names = dict.fromkeys(range(1, 80), 3) | {80: 4}, {3: "Ann Lee"}
    studio.labels = {1: "Cuisine"}
    studio.texts[80] = studio.texts[79] = " " * 5
    if ended == "finished":
        build()
    else:
        build(during=lambda: (_ for _ in ()).throw(NotEnoughLabels("The training set has no region.")))
    assert train().state == ended
    data, _ = store.data_states.get(UID) or (DataState(), 0.0)
    assert data.tasks == 80
    assert [(row.label, row.tasks) for row in data.labels] == [("Dish", 77), ("Cuisine", 1)]
    assert data.annotators == [Annotator("Ann Lee", 79), Annotator("user 4", 1)]
    assert data.empty_tasks == ["79", "80"]
    assert [words.words for words in data.mixed] == ["sushi"]


# Scores of all versions


def test_all_versions_with_files_are_scored_on_the_held_out_tasks_of_the_run(
    studio: FakeLabelStudio, store: Store, publish: Publish, fake_models: list[str], build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    publish("ner-v1", metrics={"f1": 0.123})
    publish("ner-v2", metrics={"f1": 0.456})
    store.versions.prune(UID, "ner-v1")
    build()
    run = train()
    newest, current, pruned = store.versions.of(UID)
    assert (newest.scored_in, current.scored_in, pruned.scored_in) == (run.id, run.id, "0123456789ab")
    assert (newest.metrics["documents"], current.metrics["documents"]) == (6, 6)
    assert pruned.metrics == {"f1": 0.123}
    assert fake_models == ["ner-v2"]
    comparison = store.comparisons.get(UID)
    assert comparison is not None
    assert (comparison.run, comparison.versions, comparison.left_out) == (run.id, ["ner-v3", "ner-v2"], 0)
    assert {entity["task"] for entity in comparison.entities} <= {str(task) for task in studio.owners.values()}
    assert all(entity["versions"] in ([0], [1]) for entity in comparison.entities)


def test_run_that_loses_its_held_out_regions_leaves_the_earlier_scores(
    studio: FakeLabelStudio, store: Store, publish: Publish, fake_models: list[str], build: Callable[..., list[int]],
    train: Train,
) -> None:  # fmt: skip
    publish("ner-v1", labels=(), metrics={"f1": 0.123})
    studio.label_config = RENAMED
    drawn_as_cuisine(studio, *(task for task in range(1, 81) if subset_of(str(task)) == "test"))
    build()
    train()
    newest, earlier = store.versions.of(UID)
    assert (newest.scored_in, earlier.scored_in, earlier.metrics) == (None, "0123456789ab", {"f1": 0.123})
