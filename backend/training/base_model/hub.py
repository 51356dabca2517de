"""Fetching a base model from the Hugging Face hub, and giving up in time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from huggingface_hub import constants, file_download, snapshot_download
from huggingface_hub.utils import HFValidationError, validate_repo_id

from backend.errors import BaseModelUnavailable

STALL_SECONDS = 45.0
"""A hub that has not sent a byte of the model for this long is given up."""

REMEDY = "set BASELINE_MODEL_NAME to a local folder that holds a model, or to `embedded`"

_POLL_SECONDS = 0.2


class _Download(threading.Thread):
    """A download that can be left behind: the hub's client retries on its own terms and cannot be interrupted."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"download {name}", daemon=True)
        self._repository = name
        self.folder: Path | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            folder = snapshot_download(
                self._repository,
                # The model and its tokenizer; no pickles, no copies of the weights for other frameworks.
                allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"],
                ignore_patterns=["*/*"],
            )
        except Exception as error:  # whatever it is, the waiting thread explains it
            self.error = error
        else:
            self.folder = Path(folder)


def fetch(name: str) -> Path:
    """Folder with the files of the hub's model ``name``, downloaded unless the local cache has them.

    Raises `BaseModelUnavailable` when the hub does not know or give it, cannot be reached, or has sent nothing for
    `STALL_SECONDS`. A slow download that moves is waited for.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _unavailable(name, "it is neither a folder here nor a possible name of a model") from error
    download = _Download(name)
    download.start()
    seen, since = _progress(name), time.monotonic()
    while download.is_alive():
        download.join(_POLL_SECONDS)
        now = _progress(name)
        if now != seen:
            seen, since = now, time.monotonic()
        elif download.is_alive() and time.monotonic() - since > STALL_SECONDS:
            raise _unavailable(name, f"no answer for {STALL_SECONDS:.0f} s")
    if download.folder is None:
        raise _unavailable(name, _reason(download.error)) from download.error
    return download.folder


def _progress(name: str) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of the model's files in the cache; it changes as long as a download moves."""
    folder = Path(constants.HF_HUB_CACHE) / file_download.repo_folder_name(repo_id=name, repo_type="model")
    found = set()
    for path in (folder / "blobs").glob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # renamed when complete
            continue
        found.add((path.name, status.st_size, status.st_mtime_ns))
    return frozenset(found)


def _reason(error: Exception | None) -> str:
    """The hub client's error in a few words; its messages run over several lines."""
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


def _unavailable(name: str, reason: str) -> BaseModelUnavailable:
    return BaseModelUnavailable(
        f"The base model BASELINE_MODEL_NAME={name} cannot be fetched from {constants.ENDPOINT} "
        f"({reason.rstrip('.')}): {REMEDY}."
    )
