"""Turns a full disk or full memory into an error message with a remedy."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants

from backend.errors import DiskFull, OutOfMemory, RunCancelled, TrainingError

log = logging.getLogger(__name__)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

# safetensors and tokenizers write the number of the system's error into their message.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")

_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|bad_?alloc|failed to allocate", re.I)

# torch.save does not say why a write fails.
_WRITE_FAILED = re.compile(r"PytorchStreamWriter failed writing|iostream error|unexpected pos \d+ vs \d+")

_FULL_BELOW = 16 * 2**20
"""Bytes. A disk with less free space is taken as the cause of a failure that names none."""


@contextmanager
def translate_faults(model_dir: Path) -> Iterator[None]:
    """Inside the block, an error caused by a full disk or full memory becomes `DiskFull` or `OutOfMemory`.

    The block must end before the files that fill the disk are removed.
    """
    try:
        yield
    except (RunCancelled, DiskFull, OutOfMemory):
        raise
    except Exception as error:
        fault = find_fault(error, model_dir)
        if fault is None:
            raise
        log.exception("the run failed")
        raise fault from error


def find_fault(error: BaseException, model_dir: Path) -> TrainingError | None:
    """The full disk or full memory behind an error or its causes; ``None`` if it has another reason."""
    causes = list(_causes(error))
    codes = {code for cause in causes for code in _codes(cause)}
    if any(_is_out_of_memory(cause) for cause in causes) or errno.ENOMEM in codes:
        return OutOfMemory(
            "Memory ran out during training: lower TRAIN_BATCH_SIZE, choose a smaller BASELINE_MODEL_NAME, "
            "or give training more memory."
        )
    fullest = min(_folders(model_dir), key=lambda folder: shutil.disk_usage(folder).free)
    disk_full = bool(codes & _DISK_FULL) or shutil.disk_usage(fullest).free < _FULL_BELOW
    if errno.EFBIG in codes or (not disk_full and any(_WRITE_FAILED.search(str(cause)) for cause in causes)):
        return DiskFull(
            f"Training may not write files as large as a model below {model_dir}, where {_free(model_dir)} are free: "
            "raise its limit on file sizes (`ulimit -f`), then start training again."
        )
    if disk_full:
        return DiskFull(
            f"The disk of {fullest} is full ({_free(fullest)} are free): free some space there"
            f"{' or lower KEEP_VERSIONS' if fullest == model_dir else ''}, then start training again."
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those it was raised from or during."""
    visited: set[int] = set()
    while error is not None and id(error) not in visited:
        visited.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _codes(error: BaseException) -> Iterator[int]:
    if isinstance(error, OSError) and error.errno is not None:
        yield error.errno
    yield from (int(code) for code in _OS_ERROR.findall(str(error)))
    if "database or disk is full" in str(error):  # SQLite
        yield errno.ENOSPC


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error))))


def _folders(model_dir: Path) -> list[Path]:
    """Where a run writes: its version, downloaded models, temporary files."""
    folders = (model_dir, Path(constants.HF_HUB_CACHE), Path(tempfile.gettempdir()))
    return [folder for folder in folders if folder.is_dir()]


def _free(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB"
