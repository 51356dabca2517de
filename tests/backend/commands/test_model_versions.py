from __future__ import annotations

import json
import re
from collections.abc import Callable

from backend.evaluation.gate import GateDecision
from backend.evaluation.verdict import explain
from backend.registry import Registry
from backend.scores import Score
from backend.store import Store
from backend.store.models import Version
from tests.backend.commands.conftest import Command
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

Publish = Callable[..., Version]


def test_versions_show_what_serves_and_why(command: Command, publish: Publish, store: Store) -> None:
    promoted = GateDecision(promote=True, rule="no_current_version", documents=84, f1=0.5)
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84}, decision=promoted)
    rejected = GateDecision(promote=False, rule="few_documents", documents=12, tolerance=0.1, share_worse=0.97)
    publish("ner-v2", metrics={}, current=False, decision=rejected)
    result = command("versions", "--project", "7")
    assert result.exit_code == 0
    heading, second, first = (line.split("  ") for line in re.sub("  +", "  ", result.output).splitlines())
    assert heading == ["serves", "project", "version", "made", "score", "verdict", "files"]
    assert (second[:3], second[4:]) == (
        ["", "7", "ner-v2"], [Score.from_metrics({}).sentence, explain(rejected), "kept"]
    )  # fmt: skip
    assert first[:3] == ["*", "7", "ner-v1"]
    assert first[4:] == ["F1 0.500 on 84 held-out tasks", explain(promoted), "kept"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", first[3])


def test_versions_as_json(command: Command, publish: Publish) -> None:
    metrics = {"f1": 0.5, "documents": 84, "intervals": {"f1": [0.4, 0.6]}}
    decision = GateDecision(promote=True, rule="no_current_version", documents=84, f1=0.5)
    publish("ner-v1", metrics=metrics, decision=decision)
    publish("ner-v2", uid="8.100")
    newest, first = json.loads(command("versions", "--json").stdout)[::-1]
    assert (newest["name"], newest["project"], newest["current"]) == ("ner-v2", "8.100", True)
    assert (first["metrics"], first["pinned"], first["pruned_at"]) == (metrics, False, None)
    assert first["verdict"] == explain(decision)
    assert (first["decision"]["promote"], first["decision"]["rule"], first["decision"]["f1"]) == (
        True,
        "no_current_version",
        0.5,
    )
    [promotion] = first["promotions"]
    assert (promotion["actor"], promotion["previous"]) == ("gate", None)
    assert (newest["decision"], len(newest["promotions"])) == (None, 1)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["created_at"])
    assert json.loads(command("versions", "--project", "7", "--json").stdout) == [first]


def test_interval_is_shown(command: Command, publish: Publish) -> None:
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84, "intervals": {"f1": [0.4, 0.6]}})
    assert "F1 0.500 (95 %: 0.400 to 0.600) on 84 held-out tasks" in command("versions").output


def test_project_without_a_version_says_how_to_get_one(command: Command, registered: str) -> None:
    assert command("versions", "--project", registered).output.startswith("No version yet: label some tasks")


def test_unregistered_project_is_looked_up_in_label_studio(
    command: Command, studio: FakeLabelStudio, store: Store
) -> None:
    assert command("versions", "--project", "7").exit_code == 0
    assert (store.projects.get(UID).title, store.projects.get(UID).label_config) == ("Restaurants", LABEL_CONFIG)


def test_newest_project_of_a_number_is_meant(command: Command, publish: Publish) -> None:
    publish("ner-v1", uid="7.100")
    publish("ner-v2", uid="7.99")
    assert "ner-v1" in command("versions", "--project", "7").output
    assert "ner-v2" in command("versions", "--project", "7.99").output


def test_promote_makes_an_earlier_version_serve(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1")
    publish("ner-v2")
    result = command("promote", "--project", "7", "ner-v1")
    assert result.output == "ner-v1 serves now; its predictions are being sent to Label Studio.\n"
    assert store.projects.get(UID).current_version == "ner-v1"
    assert store.syncs.pending(UID) == 3  # one request per promotion


def test_versions_show_which_are_pinned_and_which_have_no_files(command: Command, publish: Publish) -> None:
    for name in ("ner-v1", "ner-v2", "ner-v3"):
        publish(name)
    assert command("pin", "--project", "7", "ner-v2").output == "ner-v2 is pinned.\n"
    publish("ner-v4")
    assert command("unpin", "--project", "7", "ner-v3").output == "ner-v3 is not pinned any more.\n"
    lines = command("versions", "--project", "7").output.splitlines()[1:]
    assert [line.split()[-1] for line in lines] == ["kept", "kept", "pinned", "kept"]


def test_pruned_version_cannot_be_pinned(command: Command, publish: Publish, registry: Registry) -> None:
    publish("ner-v1")
    publish("ner-v2")
    registry.remove(UID, "ner-v1")
    assert command("versions", "--project", "7").output.splitlines()[2].endswith("  removed")
    for words in (["pin"], ["promote"]):
        result = command(*words, "--project", "7", "ner-v1")
        assert result.exit_code == 1
        assert result.output == (
            "Error: The files of model version 'ner-v1' were removed to save space: use ner-v2, or train a new one.\n"
        )
