"""``python -m backend``, one module a theme; `backend.__main__` gathers them."""
