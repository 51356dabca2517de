from __future__ import annotations

import gc
import os
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backend.errors import InvalidRequest, ModelError, RunCancelled, UnknownVersion, VersionPruned
from backend.inference.tagger import Tagger, Tagging
from backend.loop import Loop
from backend.registry import Registry, checked_uid
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Version
from converters.document import Span
from tests.backend.fakes import LABEL_CONFIG, UID
from tests.backend.store.races import race

Publish = Callable[..., Version]

TRICKS = [
    "",
    ".",
    "..",
    "../7.1",
    "7.1/../8",
    "/etc",
    "7.1/",
    "7\\1",
    "7.1\n",
    "7.1.1",
    ".1",
    "-7",
    "7.1\0",
    "٧.١",
    "７.１",
    "1" * 19,
    "~",
]


# Names


@pytest.mark.parametrize("uid", TRICKS)
def test_project_with_a_name_of_another_form_becomes_no_path(uid: str, registry: Registry) -> None:
    for use in (checked_uid, registry.next_name, lambda uid: registry.folder(uid, "ner-v1")):
        with pytest.raises(InvalidRequest, match="is not a project name"):
            use(uid)
    with pytest.raises(InvalidRequest):
        registry.log_file(uid, "run")
    assert not registry.model_dir.exists()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../ner-v1",
        "/ner-v1",
        "ner-v1/..",
        "ner-v0",
        "ner-v01",
        "ner-v",
        "ner-v1 ",
        "ner-v1\n",
        "ner-v١",
        "V1",
    ],
)
def test_version_with_a_name_of_another_form_becomes_no_path(name: str, registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="is not a version name"):
        registry.folder(UID, name)


@pytest.mark.parametrize("uid", ["7", "7.1795221978", "123456789012345678.0"])
def test_files_are_below_the_model_folder(uid: str, registry: Registry) -> None:
    assert registry.folder(uid, "ner-v12") == registry.model_dir / uid / "ner-v12"
    assert registry.log_file(uid, "abc").parent.is_dir()


# Publishing


def test_published_version_has_its_folder_and_its_row(registry: Registry, store: Store, publish: Publish) -> None:
    publish("ner-v1", current=False, run="abc", labels=("Dish",), metrics={"f1": 0.25})
    version = store.versions.get(UID, "ner-v1")
    assert (version.number, version.run, version.labels, version.metrics) == (1, "abc", ["Dish"], {"f1": 0.25})
    assert registry.folder(UID, "ner-v1").is_dir()
    assert store.projects.get(UID).current_version is None


def test_version_is_complete_on_disk_before_it_has_a_row(
    registry: Registry, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def add_version(version: Version) -> Version:
        assert (registry.folder(UID, version.name) / "onnx" / "model.onnx").read_text() == "weights"
        steps.append("row")
        return version

    def fsync(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(store.versions, "add", add_version)
    monkeypatch.setattr(os, "fsync", fsync)
    staged = tmp_path / "staged"
    (staged / "onnx").mkdir(parents=True)
    (staged / "onnx" / "model.onnx").write_text("weights")
    registry.publish(UID, "ner-v1", staged, run="abc", labels=("Dish",), metrics={})
    assert steps == ["onnx", "model.onnx", "staged", UID, "row"]


def test_version_without_a_row_is_none_after_a_crash(
    registry: Registry, store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Version) -> Version:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.versions, "add", crash)
        with pytest.raises(KeyboardInterrupt):
            publish("ner-v1", current=False)
    assert registry.folder(UID, "ner-v1").is_dir()
    assert store.versions.of(UID) == []
    with pytest.raises(UnknownVersion):
        registry.promote(UID, "ner-v1", actor="test")
    assert registry.next_name(UID) == "ner-v2"
    publish("ner-v2")
    assert registry.next_name(UID) == "ner-v3"


def test_first_version_of_a_project_is_number_one(registry: Registry, publish: Publish) -> None:
    publish("ner-v4", uid="8.1")
    assert registry.next_name(UID) == "ner-v1"
    assert registry.next_name("8.1") == "ner-v5"


def test_published_folder_is_never_overwritten(registry: Registry, publish: Publish, tmp_path: Path) -> None:
    publish("ner-v1")
    (registry.folder(UID, "ner-v1") / "config.json").write_text("first")
    staged = tmp_path / "second"
    staged.mkdir()
    (staged / "config.json").write_text("second")
    with pytest.raises(OSError, match="not empty"):
        registry.publish(UID, "ner-v1", staged, run="abc", labels=(), metrics={})
    assert (registry.folder(UID, "ner-v1") / "config.json").read_text() == "first"


def test_staging_folder_is_empty_and_leaves_nothing_behind(registry: Registry) -> None:
    for _ in range(2):
        with suppress(KeyboardInterrupt), registry.staging("abc") as folder:
            assert list(folder.iterdir()) == []
            (folder / "half-written").touch()
            raise KeyboardInterrupt
        assert not folder.exists()


def test_staging_takes_with_it_what_was_left_beside_it(registry: Registry) -> None:
    with registry.staging("abc") as folder:
        (folder.parent / ".version-checkpoints").mkdir()
    assert list((registry.model_dir / ".staging").iterdir()) == []


def test_staging_after_a_crash_starts_empty(registry: Registry) -> None:
    with registry.staging("abc") as left:
        pass
    left.mkdir(parents=True)
    (left / "half-written").touch()
    with registry.staging("abc") as folder:
        assert folder == left
        assert list(folder.iterdir()) == []


def test_attempts_of_a_run_do_not_share_their_files(registry: Registry) -> None:
    with registry.staging("abc", attempt=1) as first, registry.staging("abc", attempt=2) as second:
        (first / "half-written").touch()
        assert list(second.iterdir()) == []


def test_what_dead_processes_left_is_removed_and_a_run_that_goes_on_is_not(
    registry: Registry, store: Store, publish: Publish
) -> None:
    registry.clear_staging()  # nothing is there yet
    publish("ner-v1")
    store.runs.queue(UID, "button")
    run = store.runs.claim()
    assert run is not None
    store.runs.requeue(run.id)
    assert store.runs.claim() is not None
    staging = registry.model_dir / ".staging"
    for left in (f"{run.id}-1", "0123456789ab-1", ".0123456789ab-work", "7.1-ner-v1-00000000"):
        (staging / left / "onnx").mkdir(parents=True)
    with registry.staging(run.id, attempt=2) as folder:
        registry.clear_staging()
        assert list(staging.iterdir()) == [folder.parent]
        store.runs.end(run.id, "cancelled")
        registry.clear_staging()
        assert list(staging.iterdir()) == []
    assert registry.folder(UID, "ner-v1").is_dir()


def test_version_that_is_not_to_be_one_leaves_no_files(registry: Registry, store: Store, tmp_path: Path) -> None:
    def refuse(version: Version) -> None:
        assert registry.folder(UID, version.name).is_dir()
        raise RunCancelled("The run was cancelled.")

    (tmp_path / "staged").mkdir()
    with pytest.raises(RunCancelled):
        registry.publish(UID, "ner-v1", tmp_path / "staged", run="abc", labels=(), metrics={}, write_row=refuse)
    assert not registry.folder(UID, "ner-v1").exists()
    assert store.versions.of(UID) == []


# Promoting


def test_promotion_needs_a_version(registry: Registry, store: Store, publish: Publish) -> None:
    publish("ner-v1")
    for unknown in ("ner-v9", "../ner-v1", ""):
        with pytest.raises(UnknownVersion, match="it has: ner-v1"):
            registry.promote(UID, unknown, actor="test")
    assert store.projects.get(UID).current_version == "ner-v1"


def test_promotion_needs_the_files(registry: Registry, store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2", current=False)
    registry.folder(UID, "ner-v2").rename(registry.model_dir / "gone")
    with pytest.raises(ModelError, match="'ner-v2' are gone"):
        registry.promote(UID, "ner-v2", actor="test")
    assert store.projects.get(UID).current_version == "ner-v1"


def test_promotion_of_a_pruned_version_names_those_that_can_serve(registry: Registry, publish: Publish) -> None:
    for name in ("ner-v1", "ner-v2", "ner-v3"):
        publish(name)
    registry.remove(UID, "ner-v1")
    with pytest.raises(VersionPruned, match=r"'ner-v1' were removed .+: use ner-v3 or ner-v2, or train a new one"):
        registry.promote(UID, "ner-v1", actor="test")


def test_version_of_another_project_is_unknown(registry: Registry, store: Store, publish: Publish) -> None:
    publish("ner-v2", uid="8.1")
    store.projects.save(UID, label_config=LABEL_CONFIG)
    with pytest.raises(UnknownVersion, match="none yet"):
        registry.promote(UID, "ner-v2", actor="test")


# Pruning


def with_files(registry: Registry) -> list[int]:
    return sorted(int(folder.name.removeprefix("ner-v")) for folder in (registry.model_dir / UID).glob("ner-v*"))


@pytest.mark.parametrize(
    ("keep", "current", "pinned", "left"),
    [
        (0, 6, [], [1, 2, 3, 4, 5, 6]),
        (1, 6, [], [6]),
        (2, 6, [], [5, 6]),
        (1, 2, [], [2, 6]),
        (2, 1, [3], [1, 3, 5, 6]),
        (1, 6, [1, 4], [1, 4, 6]),
        (6, 6, [], [1, 2, 3, 4, 5, 6]),
        (9, 1, [1], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_newest_current_and_pinned_versions_keep_their_files(
    keep: int, current: int, pinned: list[int], left: list[int], registry: Registry, store: Store, publish: Publish
) -> None:
    for number in range(1, 7):
        publish(f"ner-v{number}", current=number == current)
    for number in pinned:
        store.versions.pin(UID, f"ner-v{number}", True)
    removed = registry.prune(UID, keep=keep)
    assert with_files(registry) == left
    assert sorted(removed) == [f"ner-v{number}" for number in range(1, 7) if number not in left]
    assert sorted(each.number for each in store.versions.of(UID, usable=True)) == left
    assert len(store.versions.of(UID)) == 6
    assert registry.prune(UID, keep=keep) == []
    assert not list((registry.model_dir / ".staging").glob("*"))


def test_files_that_a_crash_left_of_a_pruned_version_go_next_time(
    registry: Registry, store: Store, publish: Publish
) -> None:
    for number in (1, 2):
        publish(f"ner-v{number}")
    store.versions.prune(UID, "ner-v1")  # and then it crashed
    assert with_files(registry) == [1, 2]
    registry.prune(UID, keep=5)
    assert with_files(registry) == [2]
    assert registry.next_name(UID) == "ner-v3"


def test_workers_that_prune_at_once_agree(registry: Registry, store: Store, publish: Publish) -> None:
    for number in range(1, 7):
        publish(f"ner-v{number}")
    removed = race(lambda _: registry.prune(UID, keep=2))
    assert sorted(name for each in removed for name in each) == ["ner-v1", "ner-v2", "ner-v3", "ner-v4"]
    assert with_files(registry) == [5, 6]


def test_other_projects_keep_their_files(registry: Registry, publish: Publish) -> None:
    for uid in (UID, "8.1"):
        for number in (1, 2):
            publish(f"ner-v{number}", uid=uid)
    registry.prune("8.1", keep=1)
    assert with_files(registry) == [1, 2]


def test_version_that_is_open_answers_after_its_files_are_removed(
    registry: Registry, store: Store, publish: Publish, version_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(version_folder, tmp_path / "copy", copy_function=os.link)
    store.projects.save(UID)
    registry.publish(UID, "ner-v1", tmp_path / "copy", run="abc", labels=(), metrics={})
    tagger = registry.tagger(UID, "ner-v1")
    publish("ner-v2")
    before = tagger.tag(["where is the best sushi"])
    registry.prune(UID, keep=1)
    assert with_files(registry) == [2]
    assert tagger.tag(["where is the best sushi"]) == before


# Opening


def test_model_is_opened_once_by_racing_threads(
    registry: Registry, publish: Publish, version_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1", files=version_folder)
    opened: list[Path] = []
    load = Tagger.load

    def counted(folder: Path, **options: Any) -> Tagger:
        opened.append(folder)
        return load(folder, **options)

    monkeypatch.setattr(Tagger, "load", counted)
    line = threading.Barrier(8)

    def use(_: int) -> Tagger:
        line.wait(10)
        return registry.tagger(UID, "ner-v1")

    with ThreadPoolExecutor(8) as pool:
        taggers = set(pool.map(use, range(8)))
    assert len(taggers) == 1
    assert opened == [registry.folder(UID, "ner-v1")]
    assert taggers.pop().tag(["where is the best sushi"])[0].spans[0].label == "Dish"


def test_least_recently_used_version_is_closed(
    settings: Settings, store: Store, publish: Publish, fake_models: list[str]
) -> None:
    registry = Registry(settings.model_dir, store, cache=2)
    for name in ("ner-v1", "ner-v2", "ner-v3"):
        publish(name)
    for name in ("ner-v1", "ner-v2", "ner-v1", "ner-v3", "ner-v1", "ner-v2"):
        registry.tagger(UID, name)
    assert fake_models == ["ner-v1", "ner-v2", "ner-v3", "ner-v2"]


def test_versions_of_one_name_in_two_projects_are_two_models(
    registry: Registry, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    publish("ner-v1", uid="8.1")
    assert registry.tagger(UID, "ner-v1") is not registry.tagger("8.1", "ner-v1")
    assert fake_models == ["ner-v1", "ner-v1"]


def test_other_versions_answer_while_one_is_opened(
    registry: Registry, publish: Publish, fake_models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    old = registry.tagger(UID, "ner-v1")
    opening, go_on = threading.Event(), threading.Event()

    def slow(folder: Path, **options: Any) -> str:
        opening.set()
        assert go_on.wait(10)
        return folder.name

    monkeypatch.setattr("backend.registry.Tagger.load", slow)
    with ThreadPoolExecutor(1) as pool:
        new = pool.submit(registry.tagger, UID, "ner-v2")
        assert opening.wait(10)
        assert registry.tagger(UID, "ner-v1") is old
        go_on.set()
        assert str(new.result(10)) == "ner-v2"


class NamedTagger:
    """Every text is one span whose label is the model's own folder."""

    open: ClassVar[weakref.WeakSet[NamedTagger]] = weakref.WeakSet()

    def __init__(self, folder: Path) -> None:
        self.name = f"{folder.parent.name}/{folder.name}"
        self.open.add(self)

    def tag_parts(self, texts: Sequence[str]) -> Iterator[list[Tagging]]:
        for _ in texts:
            time.sleep(0.0005)  # so that promotions happen in the middle of a request
            yield [Tagging((Span(0, 1, self.name),), 1.0)]


def test_answers_during_promotions_are_of_one_version_each(
    loop: Loop, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.registry.Tagger.load", lambda folder, **options: NamedTagger(folder))
    names = [f"ner-v{number}" for number in range(1, 8)]
    for name in names:
        publish(name, current=name == "ner-v1")
    done = threading.Event()

    def ask(_: int) -> list[str]:
        answered = []
        while not done.is_set():
            answer = loop.predict(UID, ["text"] * 10)
            assert [tagging.spans[0].label for tagging in answer.taggings] == [f"{UID}/{answer.version}"] * 10
            answered.append(answer.version)
        return answered

    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(ask, range(6))
        for name in names * 3:
            loop.promote(UID, name, actor="test")
            assert loop.predict(UID, ["text"]).version == name
        done.set()
        seen = [version for each in answers for version in each]
    assert set(seen) <= set(names)
    assert len(set(seen)) > 1


def test_threads_of_many_projects_share_few_open_versions(
    settings: Settings, store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.registry.Tagger.load", lambda folder, **options: NamedTagger(folder))
    registry = Registry(settings.model_dir, store, cache=2)
    uids = [f"{number}.1" for number in range(1, 7)]
    for uid in uids:
        publish(uid=uid)

    def ask(number: int) -> None:
        for turn in range(60):
            uid = uids[(number + turn * (1 + number % 3)) % len(uids)]
            for (tagging,) in registry.tagger(uid, "ner-v1").tag_parts(["text"]):
                assert tagging.spans[0].label == f"{uid}/ner-v1"

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    gc.collect()
    assert len(NamedTagger.open) == 2


def test_all_who_wait_for_a_damaged_version_are_told(
    registry: Registry, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1")
    line = threading.Barrier(4)

    def damaged(folder: Path, **options: Any) -> None:
        raise ModelError("damaged")

    monkeypatch.setattr("backend.registry.Tagger.load", damaged)

    def use(_: int) -> str:
        line.wait(10)
        with pytest.raises(ModelError) as caught:
            registry.tagger(UID, "ner-v1")
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == ["damaged"] * 4
    assert registry._opening == {}


def test_damaged_version_can_be_opened_once_it_is_mended(
    registry: Registry, publish: Publish, version_folder: Path
) -> None:
    publish("ner-v1")
    folder = registry.folder(UID, "ner-v1")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"config\.json"):
            registry.tagger(UID, "ner-v1")
    folder.rmdir()
    folder.symlink_to(version_folder, target_is_directory=True)
    assert registry.tagger(UID, "ner-v1").labels == ("Dish", "Cuisine", "Location")


# Logs


@pytest.mark.parametrize(
    ("written", "lines", "read"),
    [
        ("", 5, ""),
        ("one\ntwo\nthree\n", 2, "two\nthree"),
        ("one\ntwo\nthree\n", 5, "one\ntwo\nthree"),
        ("one\ntwo", 0, ""),
        ("one\ntwo", -1, ""),
        ("x" * 70_000 + "\nlast\n", 5, "last"),
        ("first\n" + "é" * 32_764 + "\nlast\n", 2, "é" * 32_764 + "\nlast"),
        ("x" * 200_000, 5, ""),
    ],
    ids=["empty", "last", "all", "none", "negative", "long line before", "64 KiB", "endless line"],
)
def test_end_of_a_log_is_read_in_whole_lines(written: str, lines: int, read: str, registry: Registry) -> None:
    registry.log_file(UID, "abc").write_text(written, encoding="utf-8")
    assert registry.read_log(UID, "abc", lines=lines) == read


def test_log_that_is_no_text_is_read_as_far_as_it_is_one(registry: Registry) -> None:
    registry.log_file(UID, "abc").write_bytes(b"caf\xe9 \x00 open\n")
    assert registry.read_log(UID, "abc", lines=1) == "caf\N{REPLACEMENT CHARACTER} \x00 open"


def test_run_without_a_log_has_an_empty_one(registry: Registry) -> None:
    assert registry.read_log(UID, "abc", lines=5) == ""
    assert not registry.model_dir.exists()
