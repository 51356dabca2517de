"""Two versions side by side: by label, and by the entities that one of them finds and the other does not."""

from __future__ import annotations

from flask import render_template, request

from backend.web.dashboard.blueprint import current_loop, dashboard
from backend.web.dashboard.context import page_context


@dashboard.get("/projects/<uid>/compare")
def compare(uid: str) -> str:
    """Compare version ``a`` with version ``b``."""
    context = page_context(current_loop(), uid)
    return render_template(
        "dashboard/compare.html", **context, a=request.args.get("a", ""), b=request.args.get("b", "")
    )
