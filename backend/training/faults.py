"""Faults of the machine that a person can do something about, told in one sentence."""

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

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

# safetensors and tokenizers tell the error of the system in their own words.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")

_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory|bad_?alloc|failed to allocate", re.I)

# torch.save does not say why a write fails.
_WRITE_FAILED = re.compile(r"PytorchStreamWriter failed writing|iostream error|unexpected pos \d+ vs \d+")

_FULL_BELOW = 16 * 2**20
"""Bytes; a disk with less room is taken for the cause of a failure that does not name one."""


@contextmanager
def explained(model_dir: Path) -> Iterator[None]:
    """Turn a failure for want of disk or memory, however wrapped, into `DiskFull` or `OutOfMemory`.

    To be left while the files that fill the disk are still there.
    """
    try:
        yield
    except (RunCancelled, DiskFull, OutOfMemory):
        raise
    except Exception as error:
        explanation = explain(error, model_dir)
        if explanation is None:
            raise
        log.exception("the run failed")
        raise explanation from error


def explain(error: BaseException, model_dir: Path) -> TrainingError | None:
    """What a failure says about the machine, if it says anything."""
    causes = list(_causes(error))
    codes = {code for cause in causes for code in _codes(cause)}
    if any(_is_of_memory(cause) for cause in causes) or errno.ENOMEM in codes:
        return OutOfMemory(
            "Memory ran out during training: lower TRAIN_BATCH_SIZE, choose a smaller BASELINE_MODEL_NAME, "
            "or give the worker more memory."
        )
    fullest = min(_folders(model_dir), key=lambda folder: shutil.disk_usage(folder).free)
    no_room = bool(codes & _NO_ROOM) or shutil.disk_usage(fullest).free < _FULL_BELOW
    if errno.EFBIG in codes or (not no_room and any(_WRITE_FAILED.search(str(cause)) for cause in causes)):
        return DiskFull(
            f"A file below {model_dir} may not become as large as a model ({_free(model_dir)} are free there): "
            "raise the worker's limit (`ulimit -f`), then start training again."
        )
    if no_room:
        return DiskFull(
            f"There is no room left in {fullest} ({_free(fullest)} are free): free some space there"
            f"{' or lower KEEP_VERSIONS' if fullest == model_dir else ''}, then start training again."
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """A failure and those that it was raised from or during."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _codes(error: BaseException) -> Iterator[int]:
    if isinstance(error, OSError) and error.errno is not None:
        yield error.errno
    yield from (int(code) for code in _OS_ERROR.findall(str(error)))
    if "database or disk is full" in str(error):  # SQLite
        yield errno.ENOSPC


def _is_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error))))


def _folders(model_dir: Path) -> list[Path]:
    """Where a run writes: its version, what is downloaded, what libraries put aside."""
    return [each for each in (model_dir, Path(constants.HF_HUB_CACHE), Path(tempfile.gettempdir())) if each.is_dir()]


def _free(folder: Path) -> str:
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB"
