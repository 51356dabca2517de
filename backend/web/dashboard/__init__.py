"""The project lead's pages: the state of each project's loop, its versions and runs, in a browser."""

from backend.web.dashboard import actions, downloads, try_it, views
from backend.web.dashboard.blueprint import dashboard, register_dashboard

__all__ = ["actions", "dashboard", "downloads", "register_dashboard", "try_it", "views"]
