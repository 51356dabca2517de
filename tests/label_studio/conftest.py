"""The names under which this folder's tests know the site; the fixture ``site`` is in ``tests/conftest.py``."""

from tests.site import CONFIG, THRESHOLD, Site, free_port

__all__ = ["CONFIG", "THRESHOLD", "Site", "free_port"]
