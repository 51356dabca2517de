"""Downloads a base model from the Hugging Face hub; a download that stalls is given up."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from huggingface_hub import constants, file_download, snapshot_download
from huggingface_hub.utils import HFValidationError, validate_repo_id

from backend.errors import BaseModelUnavailable

STALL_SECONDS = 45.0
"""A download that has received nothing for this long is given up."""

REMEDY = "set BASELINE_MODEL_NAME to a local folder that contains a model, or to `embedded`"

_POLL_SECONDS = 0.2


class _Download(threading.Thread):
    """A download in a daemon thread: the hub's client retries by its own rules and cannot be interrupted."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"download {name}", daemon=True)
        self._repository = name
        self.folder: Path | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            folder = snapshot_download(
                self._repository,
                # The model and its tokenizer, without pickles and weights for other frameworks.
                allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"],
                ignore_patterns=["*/*"],
            )
        except Exception as error:  # the waiting thread raises it as `BaseModelUnavailable`
            self.error = error
        else:
            self.folder = Path(folder)


def fetch(name: str, *, subject: str | None = None, remedy: str = REMEDY) -> Path:
    """Folder with the files of the hub's model ``name``, downloaded unless the local cache has them.

    Raises `BaseModelUnavailable` when the model does not exist or is not accessible, the hub cannot be reached, or
    nothing has been received for `STALL_SECONDS`. A slow download is not interrupted. ``subject`` and ``remedy`` are
    the beginning and the end of its sentence.
    """
    subject = subject or f"BASELINE_MODEL_NAME={name}"
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _unavailable(subject, remedy, "it is neither a folder here nor a valid model name") from error
    download = _Download(name)
    download.start()
    progress, since = _progress(name), time.monotonic()
    while download.is_alive():
        download.join(_POLL_SECONDS)
        current = _progress(name)
        if current != progress:
            progress, since = current, time.monotonic()
        elif download.is_alive() and time.monotonic() - since > STALL_SECONDS:
            raise _unavailable(subject, remedy, f"nothing received for {STALL_SECONDS:.0f} s")
    if download.folder is None:
        raise _unavailable(subject, remedy, _reason(download.error)) from download.error
    return download.folder


def _progress(name: str) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of the model's files in the cache; they change while the download receives data."""
    folder = Path(constants.HF_HUB_CACHE) / file_download.repo_folder_name(repo_id=name, repo_type="model")
    files = set()
    for path in (folder / "blobs").glob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # renamed when complete
            continue
        files.add((path.name, status.st_size, status.st_mtime_ns))
    return frozenset(files)


def _reason(error: Exception | None) -> str:
    """The first line of the hub client's error; its messages have several lines."""
    cause = error.__cause__ if error is not None and error.__cause__ is not None else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[0]}" if lines else type(cause).__name__


def _unavailable(subject: str, remedy: str, reason: str) -> BaseModelUnavailable:
    return BaseModelUnavailable(
        f"{subject} cannot be downloaded from {constants.ENDPOINT} ({reason.rstrip('.')}): {remedy}."
    )
