"""The commands of ``python -m backend``, one module per topic; `backend.__main__` collects them."""
