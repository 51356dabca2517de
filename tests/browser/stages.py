"""Projects at the stages that a project goes through, one of each in the same service."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from backend.evaluation.comparison import Entity, to_rows
from backend.loop import Loop
from backend.scores import MIN_DOCUMENTS
from backend.store.models import (
    TOO_FEW_LABELS,
    Comparison,
    Decision,
    LabelIssue,
    Project,
    Promotion,
    Review,
    Run,
    Version,
)
from label_config import generate
from tests.backend.lossy import LOSSY
from tests.browser.faulty_data import with_faults
from tests.browser.sample_service import LABEL_CONFIG, data_state, metrics, note_counts, start_run

ONE_WORD = "Veröffentlichungsdatum" * 6
"""A label that can be broken nowhere but inside its word."""

LONG_LABELS = (
    ONE_WORD,
    *(f"Label {number:02} with the name of a department in a large organisation" for number in range(1, 25)),
)
HEBREW, ARABIC = "שאלות על מסעדות", "مطعم"
RIGHT_TO_LEFT_TEXT = "אכלנו פלאפל (1.5 מנות) בתל אביב, ואז cheesecake"

EMPTY, FIRST_RUN, TOO_FEW, FAILED, CANCELLED = (f"{number}.1795221978" for number in range(20, 25))
REJECTED, MANY, RIGHT_TO_LEFT, UNSUPPORTED = (f"{number}.1795221978" for number in range(25, 29))
STAGES = (EMPTY, FIRST_RUN, TOO_FEW, FAILED, CANCELLED, REJECTED, MANY, RIGHT_TO_LEFT, UNSUPPORTED)

_NOT_REACHED = "Label Studio at http://localhost:8080 does not answer: check that `LABEL_STUDIO_URL` is right."


def write_stages(loop: Loop) -> None:
    """Register the projects of `STAGES` and write their rows."""
    now = time.time()
    titles = dict(
        zip(STAGES, ("No version", "First run", "Too few labels", "Failed", "Cancelled", "Rejected"), strict=False)
    )
    for uid in STAGES:
        loop.register_project(uid, title=titles.get(uid, ""), label_config=LABEL_CONFIG)
    loop.register_project(MANY, title="A_project_with_a_long_name_" * 3, label_config=generate(LONG_LABELS))
    loop.register_project(RIGHT_TO_LEFT, title=HEBREW, label_config=generate([ARABIC, "מקום"]))
    loop.register_project(UNSUPPORTED, title="Pictures", label_config="<View/>")
    rows = [
        _run(TOO_FEW, "failed", now, error="There are 0 labelled tasks: label more tasks, then start training again.",
             error_kind=TOO_FEW_LABELS),
        _run(FAILED, "failed", now, error=_NOT_REACHED),
        _run(CANCELLED, "cancelled", now),
        *_versions(REJECTED, 2, now, rejected=True),
        *_versions(MANY, 41, now, labels=LONG_LABELS),
        *_versions(RIGHT_TO_LEFT, 2, now, labels=(ARABIC, "מקום")),
        _comparison(REJECTED, "Dish"),
        _comparison(RIGHT_TO_LEFT, ARABIC),
        _comparison(MANY, ONE_WORD, newest=41),
        Review(project=MANY, id="many", run="0" * 12, tasks=60, ended_at=now),
        LabelIssue(
            project=MANY, task="5", start=0, end=132, text=ONE_WORD.lower(), given=ONE_WORD, kind="wrong label",
            view=f"{LONG_LABELS[1]} 0.97", score=0.93, found=[],
        ),
        Review(project=RIGHT_TO_LEFT, id="right", run="0" * 12, tasks=60, ended_at=now),
        LabelIssue(
            project=RIGHT_TO_LEFT, task="4", start=6, end=11, text="פלאפל", given="מקום", kind="wrong label",
            view=f"{ARABIC} 0.97", score=0.93, found=[],
        ),
    ]  # fmt: skip
    with loop.store._database.write() as session:
        session.add_all(rows)
        for uid, number in ((REJECTED, 1), (MANY, 41), (RIGHT_TO_LEFT, 2)):
            session.get_one(Project, uid).current_version = f"ner-v{number}"
        session.flush()
        rejected = session.get_one(Run, f"{REJECTED}-2")
        rejected.conversion = replace(LOSSY, unknown_labels={}).to_dict()
    for uid in STAGES:
        loop.store.projects.note_comparison(uid, _NOT_REACHED if uid == UNSUPPORTED else None)
    for uid, tasks, skipped in ((FIRST_RUN, 20_000, 3), (MANY, 12_345, 6789), (RIGHT_TO_LEFT, 70, 0), (TOO_FEW, 0, 0)):
        note_counts(loop, uid, tasks=tasks, skipped=skipped)
    names = ("A person with a name that is as long as that of a department " * 2, "Éva Kovács", "user 3")
    texts = ("A_word_" * 9, "rome", "the table by the window in the room upstairs…", "5 stars")
    loop.store.data_states.save(MANY, "run", with_faults(data_state(LONG_LABELS, names), LONG_LABELS, texts))
    loop.store.data_states.save(FAILED, "run", data_state(("Dish", "Location"), ()))
    labels, state = (ARABIC, "מקום"), data_state((ARABIC, "מקום"), ("דוד לוי", "محمد علي"))
    loop.store.data_states.save(RIGHT_TO_LEFT, "run", with_faults(state, labels, (RIGHT_TO_LEFT_TEXT, "cheesecake")))
    loop.annotations_saved(EMPTY, {100 + task: task for task in range(4)})
    run = start_run(loop, FIRST_RUN)
    loop.store.runs.update(run.id, attempt=1, phase="training", progress=0.4, eta_seconds=90)


def _run(uid: str, state: str, now: float, *, number: int = 1, **columns: Any) -> Run:
    return Run(
        id=f"{uid}-{number}", project=uid, reason="10 changed tasks", state=state, phase=state, attempt=1, revision=0,
        queued_at=now - 300, started_at=now - 290, finished_at=now - 200, **columns,
    )  # fmt: skip


def _comparison(uid: str, label: str, *, newest: int = 2) -> Comparison:
    """Regions on which the two newest versions of a project differ, in the same text."""
    text = RIGHT_TO_LEFT_TEXT
    entities = [
        Entity(
            str(start),
            "",
            start,
            start + 5,
            label,
            given,
            [holder],
            text[:start],
            text[start : start + 5],
            text[start + 5 :],
        )
        for start, given, holder in ((6, True, 0), (12, True, 1), (20, False, 0), (33, False, 1))
    ]
    return Comparison(
        project=uid,
        run=f"{uid}-{newest}",
        versions=[f"ner-v{newest - 1}", f"ner-v{newest}"],
        entities=to_rows(entities),
        left_out=7,
    )


def _versions(
    uid: str, count: int, now: float, *, labels: tuple[str, ...] | None = None, rejected: bool = False
) -> list[Any]:
    """Rows of ``count`` versions, scored on the same held-out tasks; the last one is ``rejected``, or serves."""
    rows: list[Any] = []
    for number in range(1, count + 1):
        at, run = now - (count - number + 1) * 3600, f"{uid}-{number}"
        promote, f1, documents = not (rejected and number == count), 0.8 - 0.3 / number, 2 * MIN_DOCUMENTS
        if not promote:
            f1 = 0.41
        figures = metrics(f1, documents)
        if labels:
            row = figures["per_label"]["Dish"]
            figures |= {"per_label": dict.fromkeys(labels, row), "confusion": _confusion(labels)}
        before = f"ner-v{number - 1}"
        decision = Decision(
            promote=promote, rule="bootstrap" if number > 1 else "no_current_version", documents=documents, f1=f1,
            current_f1=0.8 - 0.3 / max(number - 1, 1), compared_with=before if number > 1 else None, tolerance=0.005,
            share_worse=0.01 if promote else 0.97, share_better=0.9 if promote else 0.01,
        )  # fmt: skip
        run_row = _run(uid, "finished", at + 300, number=number, version=f"ner-v{number}", documents=60 + 10 * number)
        version = Version(
            project=uid, number=number, name=f"ner-v{number}", run=run, labels=list(labels or figures["per_label"]),
            metrics=figures, created_at=at, decision=decision, scored_in=f"{uid}-{count}",
        )  # fmt: skip
        rows += [run_row, version]
        if promote:
            rows.append(
                Promotion(
                    project=uid,
                    version=version.name,
                    previous=before if number > 1 else None,
                    actor="gate",
                    promoted_at=at,
                )
            )
    return rows


def _confusion(labels: tuple[str, ...]) -> dict[str, Any]:
    first, second, *_ = labels
    return {
        "found_as": {label: {label: 12} for label in labels} | {first: {first: 9, second: 3}},
        "boundaries": {first: 2},
        "missed": {second: 4},
        "spurious": {first: 1},
    }
