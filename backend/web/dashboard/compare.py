"""Two versions side by side: by label, and by the regions that one of them marks and the other does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template, request

from backend.errors import UnknownVersion
from backend.scores import LabelScore, label_scores, rounded, shown_difference
from backend.store.models import Comparison, Version
from backend.web.dashboard import figures
from backend.web.dashboard.blueprint import current_loop, dashboard
from backend.web.dashboard.context import page_context

MAX_LISTED = 100
"""Regions of each kind that are listed."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """The scores of a label in both versions; ``difference`` of F1 is empty where one of them is unknown."""

    label: str
    a: LabelScore
    b: LabelScore
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """Regions of held-out tasks that one version marks and the other does not.

    People marked those that are ``gained`` (by version b) and ``lost``; they did not mark those that are ``wrong`` in b
    only and those that are ``right_now``, which only a marks. Each is a `backend.evaluation.comparison.Entity` as a
    dictionary. ``left_out`` counts the regions on which any versions differ that were not stored.
    """

    gained: list[Mapping[str, Any]]
    lost: list[Mapping[str, Any]]
    wrong: list[Mapping[str, Any]]
    right_now: list[Mapping[str, Any]]
    left_out: int = 0


@dashboard.get("/projects/<uid>/compare")
def compare(uid: str) -> str:
    """Compare version ``b`` with version ``a``."""
    loop = current_loop()
    context = page_context(loop, uid)
    versions: list[Version] = context["versions"]
    a, b = _chosen(uid, versions, context["project"].current_version)
    comparable = a is not None and b is not None and figures.comparable(a, b)
    return render_template(
        "dashboard/compare.html",
        **context,
        a=a,
        b=b,
        comparable=comparable,
        label_rows=label_rows(a.metrics, b.metrics) if a and b and comparable else [],
        changes=changes(loop.store.comparisons.get(uid), a, b) if a and b and comparable else None,
        documents=loop.store.runs.documents(uid),
        score_of=figures.score_of,
        max_listed=MAX_LISTED,
    )


def _chosen(uid: str, versions: Sequence[Version], current: str | None) -> tuple[Version | None, Version | None]:
    """The versions that the address names; else the one that serves and the newest other one, the older one first."""
    by_name = {version.name: version for version in versions}
    named = [request.args.get(field) for field in ("a", "b")]
    for name in filter(None, named):
        if name not in by_name:
            raise UnknownVersion(uid, name, list(by_name))
    names = [name for name in dict.fromkeys([current, *by_name]) if name in by_name]
    newer, older = sorted([*names[:2], None, None][:2], key=lambda name: -by_name[name].number if name else 1)
    a = named[0] or next((name for name in (older, newer) if name != named[1]), None)
    b = named[1] or next((name for name in (newer, older) if name != a), None)
    return by_name.get(a or ""), by_name.get(b or "")


def label_rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[LabelRow]:
    """The labels of two versions' ``metrics``, those that lost most first, then those whose F1 is unknown."""
    before, after = label_scores(a), label_scores(b)
    rows = []
    for label in dict.fromkeys([*before, *after]):
        old, new = before.get(label) or LabelScore(label, 0, 0, 0), after.get(label) or LabelScore(label, 0, 0, 0)
        if old.f1 is None or new.f1 is None:
            rows.append((2.0, LabelRow(label, old, new)))
        else:
            difference = rounded(new.f1) - rounded(old.f1)
            rows.append((difference, LabelRow(label, old, new, shown_difference(old.f1, new.f1))))
    return [row for _, row in sorted(rows, key=lambda pair: (pair[0], pair[1].label))]


def changes(comparison: Comparison | None, a: Version, b: Version) -> Changes | None:
    """The regions on which two versions differ; ``None`` where they were not compared in the run that scored them."""
    if comparison is None or comparison.run != a.scored_in or not {a.name, b.name} <= set(comparison.versions):
        return None
    first, second = comparison.versions.index(a.name), comparison.versions.index(b.name)

    def of(*, given: bool, holder: int, other: int) -> list[Mapping[str, Any]]:
        return [
            row
            for row in comparison.entities
            if row["given"] == given and holder in row["versions"] and other not in row["versions"]
        ]

    return Changes(
        gained=of(given=True, holder=second, other=first),
        lost=of(given=True, holder=first, other=second),
        wrong=of(given=False, holder=second, other=first),
        right_now=of(given=False, holder=first, other=second),
        left_out=comparison.left_out,
    )
