"""The project lead's pages: the state of each project's loop, its versions and runs, in a browser."""

from backend.web.dashboard import actions, compare, downloads, serving, try_it, views
from backend.web.dashboard.blueprint import dashboard, error_page, register_dashboard, wants_html

__all__ = [
    "actions",
    "compare",
    "dashboard",
    "downloads",
    "error_page",
    "register_dashboard",
    "serving",
    "try_it",
    "views",
    "wants_html",
]
