"""A service with a project that has been in use for some days, and a browser: for tests and for screenshots."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.store.data_state import Annotator, DataState, LabelCount
from backend.store.models import Annotation, Change, Decision, LabelIssue, Project, Promotion, Review, Run, Version
from tests.backend.lossy import LOSSY

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
UID = "7.1795221978"

LABELS = ("Dish", "Cuisine", "Location", "Price", "Hours")

LABEL_CONFIG = """<View>
  <Labels name="label" toName="text">
    <Label value="Dish" background="#ffb53e" hotkey="1"/>
    <Label value="Cuisine" background="#7a3b8f" hotkey="2"/>
    <Label value="Location" background="darkcyan" hotkey="3"/>
    <Label value="Price" background="#c2d94c" hotkey="4"/>
    <Label value="Hours" hotkey="5"/>
  </Labels>
  <Text name="text" value="$text"/>
</View>"""

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Labelled tasks, held-out tasks and F1 of each version, in the order they were made.
_HISTORY = ((40, 6, 0.52), (80, 9, 0.63), (160, 17, 0.713), (240, 26, 0.752), (400, 41, 0.794), (560, 58, 0.815))
_REJECTED = (600, 62, 0.781)
_HOUR = 3600.0


def populate(loop: Loop, files: Path, *, uid: str = UID) -> None:
    """Write the rows of a project that has been labelled for some days; all versions have the same ``files``."""
    now = time.time()
    loop.register_project(uid, title="Restaurant queries", label_config=LABEL_CONFIG)
    folder = loop.registry.folder(uid, "ner-v1").parent
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Any] = []
    for number, (documents, held_out, f1) in enumerate((*_HISTORY, _REJECTED), start=1):
        run_id, name, at = f"{number:012x}", f"ner-v{number}", now - (len(_HISTORY) + 2 - number) * 19 * _HOUR
        decision = _decision(number, held_out, f1)
        rows.append(
            _finished(
                uid,
                run_id,
                name,
                documents,
                at,
                "10 changed tasks" if number % 3 else "Start training on the dashboard",
            )
        )
        rows.append(
            Version(
                project=uid, number=number, name=name, run=run_id, labels=list(LABELS), decision=decision,
                metrics=metrics(f1, held_out), created_at=at + 240, pinned=number == 3,
                scored_in=run_id if number == 1 else f"{len(_HISTORY) + 1:012x}",
                pruned_at=now - _HOUR if number == 1 else None,
            )
        )  # fmt: skip
        if decision.promote:
            previous = decision.compared_with
            rows.append(Promotion(project=uid, version=name, previous=previous, actor="gate", promoted_at=at + 240))
        if number > 1:
            (folder / name).symlink_to(files, target_is_directory=True)
    rows += _failed(uid, now)
    rows += [Annotation(project=uid, annotation=1000 + task, task=task) for task in range(1, 608)]
    rows += [Change(project=uid, task=str(task), revision=1) for task in range(600, 607)]
    rows += [
        Review(project=uid, id="review", run="0" * 11 + "7", tasks=600, ended_at=now - 2 * _HOUR),
        *_label_issues(uid),
    ]
    with loop.store._database.write() as session:
        session.add_all(rows)
        session.get_one(Run, run_id).conversion = LOSSY.to_dict()
        project = session.get_one(Project, uid)
        project.current_version = f"ner-v{len(_HISTORY)}"
        project.label_map = {"Town": "Location", "Wine": "Drink"}
        project.created_at = now - 10 * 24 * _HOUR
    loop.store.projects.note_comparison(uid, None)
    note_counts(loop, uid, tasks=1000, skipped=13)
    loop.store.data_states.save(uid, run_id, data_state(LABELS, ("Ann Lee", "Mehmet Öztürk", "user 2")))


def note_counts(loop: Loop, uid: str, *, tasks: int, skipped: int = 0) -> None:
    """Numbers of tasks as a comparison with Label Studio stores them."""
    at = time.time()
    loop.store.projects.note_counts(
        uid, {"tasks": tasks, "skipped": skipped, "annotations": 0, "skips": skipped, "counted_at": at}
    )


def data_state(labels: Sequence[str], people: Sequence[str]) -> DataState:
    """What a run has read: fewer regions of each further label, none of those after the twentieth."""
    regions = [520 // number for number in range(1, 21)] + [0] * len(labels)
    return DataState(
        tasks=600,
        labels=[LabelCount(*row) for row in zip(labels, regions, (n // 10 for n in regions), regions, strict=False)],
        annotators=[Annotator(name, 400 // number) for number, name in enumerate(people, start=1)],
        shared=12,
    )


def _decision(number: int, held_out: int, f1: float) -> Decision:
    """The gate's decision about the version of this number."""
    if number == 1:
        return Decision(promote=True, rule="no_current_version", documents=held_out, f1=f1)
    promote = number <= len(_HISTORY)
    return Decision(
        promote=promote, rule="bootstrap" if held_out >= 30 else "few_documents", documents=held_out,
        f1=f1, current_f1=_HISTORY[number - 2][2], compared_with=f"ner-v{number - 1}", tolerance=0.005,
        share_worse=0.02 if promote else 0.93, share_better=0.96 if promote else 0.03,
    )  # fmt: skip


def metrics(f1: float, documents: int) -> dict[str, Any]:
    """The result of `Metrics.to_dict` for a version of this quality."""
    weights = {
        "Dish": (52, 0.03),
        "Cuisine": (38, 0.06),
        "Location": (44, 0.0),
        "Price": (17, -0.09),
        "Hours": (9, -0.2),
    }
    support = {label: max(1, count * documents // 58) for label, (count, _) in weights.items()}
    scores = {label: min(1.0, f1 + better) for label, (_, better) in weights.items()}
    half = 0.55 / documents**0.5
    found_as: dict[str, dict[str, int]] = {label: {label: round(support[label] * scores[label])} for label in LABELS}
    found_as["Dish"]["Cuisine"] = 4
    found_as["Cuisine"]["Dish"] = 2
    found_as["Price"]["Hours"] = 1
    return {
        "documents": documents,
        "precision": f1 - 0.011,
        "recall": f1 + 0.012,
        "f1": f1,
        "support": sum(support.values()),
        "intervals": {"f1": [f1 - half, min(1.0, f1 + half)]} if documents >= 30 else None,
        "per_label": {
            label: {
                "precision": max(0.0, scores[label] - 0.02),
                "recall": min(1.0, scores[label] + 0.02),
                "f1": scores[label],
                "support": support[label],
                "interval": [scores[label] - half, min(1.0, scores[label] + half)] if support[label] > 9 else None,
            }
            for label in LABELS
        },
        "confusion": {
            "found_as": found_as,
            "boundaries": {"Location": 3, "Dish": 2},
            "missed": {"Price": 2, "Hours": 2, "Dish": 1},
            "spurious": {"Dish": 3, "Location": 1},
        },
    }


def _finished(uid: str, run_id: str, version: str, documents: int, at: float, reason: str) -> Run:
    return Run(
        id=run_id, project=uid, reason=reason, state="finished", phase="finished", progress=1.0, attempt=1,
        documents=documents, version=version, revision=0,
        queued_at=at, started_at=at + 1, finished_at=at + 240,
    )  # fmt: skip


def _failed(uid: str, now: float) -> Iterator[Run]:
    for number, state, error in (
        (1, "cancelled", None),
        (
            2,
            "failed",
            "Label Studio at http://localhost:8080 does not answer (Connection refused): check that it runs.",
        ),
    ):
        at = now - (100 + 20 * number) * _HOUR
        yield Run(
            id=f"f{number:011x}", project=uid, reason="Start Training in Label Studio", state=state, phase=state,
            progress=0.3, attempt=1, error=error, revision=0, queued_at=at, started_at=at + 2, finished_at=at + 41,
        )  # fmt: skip


def _label_issues(uid: str) -> Iterator[LabelIssue]:
    issues = (
        ("214", "find me a table near ", "Boston", " common", "Dish", "wrong label", "Location 0.98", 0.98),
        ("61", "where can i eat ", "cheap", "", None, "missing", "Price 0.96", 0.96),
        ("388", "is there ", "a quiet", " place with thai food", "Cuisine", "should not be marked",
         "not an entity 0.95", 0.95),
        ("97", "who makes the best ", "lobster", " roll downtown", "Dish", "wrong boundaries",
         "“lobster roll” instead of “lobster”", 0.91),
        ("502", "", "Mexican", " restaurants that deliver", "Dish", "wrong label", "Cuisine 0.88", 0.87),
        ("43", "any diner that is open ", "after nine", " on sundays", None, "missing", "Hours 0.81", 0.79),
    )  # fmt: skip
    for number in range(3):
        for task, before, text, after, given, kind, view, score in issues:
            yield LabelIssue(
                project=uid, task=str(int(task) + number), start=0, end=len(text), text=text, given=given, kind=kind,
                view=view, found=[], score=score - number / 20, run="7", before=before, after=after,
                annotator=("Ann Lee", "user 2", "")[number],
            )  # fmt: skip


def start_run(loop: Loop, uid: str = UID) -> Run:
    """A run that has started, as a worker's process would have it."""
    loop.store.runs.queue(uid, "10 changed tasks")
    run = loop.store.runs.claim()
    if run is None:
        raise RuntimeError("there is nothing to claim")
    return run


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The web server in a process of its own; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **settings.environment(), "PORT": str(port), "HOST": "127.0.0.1", "WORKERS": "1"}
    server = subprocess.Popen(
        [sys.executable, "-m", "backend", "serve"],
        env={**environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=settings.model_dir.parent,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 180
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def browsing(flags: Sequence[str] = _FLAGS) -> Iterator[Browser]:
    """Debian's chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(flags))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def populated_service(settings: Settings, files: Path) -> Iterator[tuple[str, Loop]]:
    """The service with a populated database; gives its address, and the loop to change it by."""
    settings.model_dir.mkdir(parents=True, exist_ok=True)
    loop, _ = open_service(settings)
    populate(loop, files)
    try:
        with serving(settings) as url:
            yield url, loop
    finally:
        loop.store.close()
