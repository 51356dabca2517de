"""What a project lead looks at: the loop of each project, its versions and runs, in a browser."""

from backend.web.dashboard import actions, downloads, trying, views
from backend.web.dashboard.blueprint import dashboard, install

__all__ = ["actions", "dashboard", "downloads", "install", "trying", "views"]
