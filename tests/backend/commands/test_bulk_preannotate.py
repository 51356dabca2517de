from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence

import pytest

from backend.commands import bulk_preannotate as module
from backend.errors import LabelStudioUnreachable, TextDelayed, TextUnavailable
from backend.label_studio.api import Prediction
from backend.loop import Loop
from backend.store import Store
from backend.store.models import Version
from backend.worker import Worker
from tests.backend.commands.conftest import Command
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

Publish = Callable[..., Version]


@pytest.fixture
def studio(studio: FakeLabelStudio, publish: Publish, fake_models: list[str]) -> FakeLabelStudio:
    """A project of nine unlabelled tasks, and a version that serves."""
    publish("ner-v1")
    studio.texts = {number: f"sushi number {number}" for number in range(1, 10)}
    return studio


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.label_studio.sync.BATCH", 4)


def test_every_unlabelled_task_gets_a_prediction(command: Command, studio: FakeLabelStudio, store: Store) -> None:
    store.syncs.request(UID)
    result = command("preannotate", "--project", "7")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("9 unlabelled tasks: 9 predictions of ner-v1 stored, in 0 s.\n")
    assert studio.predicted("ner-v1") == set(range(1, 10))
    assert studio.shown == "ner-v1"
    assert store.syncs.pending(UID) is None
    assert "0 predictions of ner-v1 stored, 9 were stored before" in command("preannotate", "--project", "7").stdout
    assert studio.twice == set()


def test_texts_at_addresses_are_read(
    command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.loop.open_text_loader", lambda settings, project: lambda url: f"sushi of {url}")
    studio.label_config = LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"')
    studio.texts = {1: "/data/upload/1/menu.txt"}
    assert command("preannotate", "--project", "7").exit_code == 0
    [region] = studio.stored[1, "ner-v1"].regions
    assert (region["value"]["start"], region["value"]["text"]) == (0, "sushi")


@pytest.mark.parametrize(
    ("error", "exit_code", "stored", "sentence"),
    [
        (TextUnavailable, 0, set(range(1, 10)), "9 unlabelled tasks got an empty prediction of ner-v1, because"),
        (TextDelayed, 1, set(), "9 unlabelled tasks got no prediction of ner-v1, because the text did not arrive."),
    ],
)
def test_tasks_whose_text_cannot_be_read_are_counted_until_they_are_predicted(
    error: type[TextUnavailable], exit_code: int, stored: set[int], sentence: str,
    command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch, publish: Publish,
) -> None:  # fmt: skip
    def load(url: str) -> str:
        raise error(f"Nothing at {url}.")

    monkeypatch.setattr("backend.loop.open_text_loader", lambda settings, project: load)
    studio.label_config = LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"')
    result = command("preannotate", "--project", "7")
    assert (result.exit_code, studio.predicted("ner-v1")) == (exit_code, stored)
    for shown in (result.stdout, command("status").stdout, command("status", "--project", "7").stdout):
        assert sentence in shown
        assert "Task 1: Nothing at sushi number 1." in shown
    monkeypatch.setattr("backend.loop.open_text_loader", lambda settings, project: str)
    publish("ner-v2")
    assert "because" not in command("preannotate", "--project", "7").stdout
    assert "because" not in command("status").stdout


def test_empty_predictions_of_earlier_syncs_are_remembered(
    command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(url: str) -> str:
        raise TextUnavailable(f"Nothing at {url}.")

    monkeypatch.setattr("backend.loop.open_text_loader", lambda settings, project: load)
    studio.label_config = LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"')
    command("preannotate", "--project", "7")
    studio.texts[10] = "sushi number 10"
    assert "10 unlabelled tasks got an empty prediction" in command("preannotate", "--project", "7").stdout
    assert "10 unlabelled tasks got an empty prediction" in command("preannotate", "--project", "7").stdout
    for words in (("status", "--json"), ("preannotate", "--project", "7", "--json")):
        [fields] = json.loads(command(*words).stdout)
        assert (fields["unread_texts"]["version"], fields["unread_texts"]["empty"]) == ("ner-v1", 10)


def test_figures_as_json(command: Command, studio: FakeLabelStudio) -> None:
    [done] = json.loads(command("preannotate", "--project", "7", "--json").stdout)
    assert (done["project"], done["version"], done["unlabelled"], done["stored"]) == (UID, "ner-v1", 9, 9)
    assert (done["present"], done["refused"], done["unread_texts"]) == (0, [], None)
    assert set(done["seconds"]) == {"reading", "predicting", "importing", "counting", "total"}


def test_refused_tasks_are_named(command: Command, studio: FakeLabelStudio) -> None:
    studio.gone = {3, 5}
    result = command("preannotate", "--project", "7")
    assert result.exit_code == 1
    assert "7 predictions of ner-v1 stored" in result.stdout
    assert result.stderr.endswith("Error: Label Studio refused the predictions of 2 tasks: 3, 5.\n")


@pytest.mark.usefixtures("_small_batches")
def test_after_an_interruption_it_says_what_is_stored_and_resumes(
    command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.label_studio.importer.RECOVERY_SECONDS", -1.0)
    original = studio.import_predictions

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        if len(studio.imports) == 1:
            studio.down = LabelStudioUnreachable("Label Studio does not answer.")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", store)
    result = command("preannotate", "--project", "7")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "Error: Label Studio does not answer. "
        "4 predictions are stored and stay there; run the same command again to continue.\n"
    )
    studio.down = None
    monkeypatch.setattr(studio, "import_predictions", original)
    assert "5 predictions of ner-v1 stored, 4 were stored before" in command("preannotate", "--project", "7").stdout
    assert studio.twice == set()


def test_project_without_a_version_says_what_to_do(command: Command, registered: str, studio: FakeLabelStudio) -> None:
    store_without = command("preannotate", "--project", "7", DATABASE_URL="sqlite:///other.sqlite3")
    assert store_without.exit_code == 1
    assert "neither a model version nor phrases yet: mark entities in Label Studio first" in store_without.stderr


def test_project_without_a_version_gets_predictions_of_phrases(
    command: Command, registered: str, studio: FakeLabelStudio
) -> None:
    studio.texts = {1: "sushi here", 2: "sushi there", 3: "ramen"}
    studio.annotate(1)
    result = command("preannotate", "--project", "7", DATABASE_URL="sqlite:///other.sqlite3")
    assert "2 unlabelled tasks: 2 predictions of phrases stored" in result.stdout
    (places,) = (prediction.regions for (task, _), prediction in studio.stored.items() if task == 2)
    assert [region["value"]["text"] for region in places] == ["sushi"]


def test_project_with_a_reused_number_gets_no_predictions(command: Command, studio: FakeLabelStudio) -> None:
    studio.uid = "7.1800000000"
    result = command("preannotate", "--project", "7")
    assert result.exit_code == 1
    assert "connect it again with `python -m backend connect --project 7`" in result.stderr
    assert studio.imports == []


@pytest.mark.usefixtures("_small_batches")
def test_worker_that_syncs_at_the_same_time_duplicates_nothing(
    command: Command, studio: FakeLabelStudio, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ACQUIRE_SECONDS", 0.01)
    store.syncs.request(UID)
    worker = Worker(loop, lambda settings, project: studio)
    refreshing = threading.Thread(target=worker.sync_predictions, args=(UID,))
    original = studio.import_predictions

    def slow(project_id: int, predictions: Sequence[Prediction]) -> int:
        if not studio.imports:
            threading.Event().wait(0.3)
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", slow)
    refreshing.start()
    results = [command("preannotate", "--project", "7") for _ in range(2)]
    refreshing.join(20)
    assert [result.exit_code for result in results] == [0, 0]
    assert studio.predicted("ner-v1") == set(range(1, 10))
    assert studio.twice == set()
    assert sum(studio.imports) == 9


@pytest.mark.usefixtures("_small_batches")
def test_version_promoted_meanwhile_is_the_one_that_is_stored(
    command: Command, studio: FakeLabelStudio, publish: Publish, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v2", current=False)
    original = studio.import_predictions

    def promoting(project_id: int, predictions: Sequence[Prediction]) -> int:
        if not studio.imports:
            loop.promote(UID, "ner-v2", actor="dashboard")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", promoting)
    assert "9 predictions of ner-v2 stored" in command("preannotate", "--project", "7").stdout
    assert studio.shown == "ner-v2"


def test_lease_of_a_killed_process_lapses(
    command: Command, studio: FakeLabelStudio, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ACQUIRE_SECONDS", 0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend.store.lease.LEASE_SECONDS", 0.5)
        assert store.leases.acquire("sync", UID, "killed")
    assert command("preannotate", "--project", "7").exit_code == 0
