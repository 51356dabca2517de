from __future__ import annotations

import errno
import itertools
import os
import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.errors import BackendError, BaseModelUnavailable, DiskFull, OutOfMemory, RunCancelled
from backend.training import faults as module
from backend.training.faults import find_fault, translate_faults

Disk = Callable[..., None]

SMALL = 64 * 1024


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Set how many bytes some folders have free; all others have plenty."""

    def use(**free: int) -> None:
        def usage(folder: Path) -> SimpleNamespace:
            return SimpleNamespace(free=free.get(Path(folder).name, 500 * 10**9))

        monkeypatch.setattr(shutil, "disk_usage", usage)

    use()
    return use


@contextmanager
def small_files() -> Iterator[None]:
    """Inside the block no file may grow beyond `SMALL` bytes: a larger write fails as on a disk of that size.

    Not a fixture: the output of the tests may go to a larger file.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_plainly(folder: Path) -> None:
    (folder / "file").write_bytes(bytes(2 * SMALL))


def write_safetensors(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(SMALL)}, folder / "model.safetensors")


def write_checkpoint(folder: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(SMALL)}, folder / "optimizer.pt")


def write_model(folder: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForTokenClassification

    DistilBertForTokenClassification(DistilBertConfig(dim=32, hidden_dim=32, n_layers=1, n_heads=2)).save_pretrained(
        folder
    )


def write_onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [SMALL], [0.0] * SMALL)
    graph = helper.make_graph(
        [], "graph", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [SMALL])], [weights]
    )
    onnx.save(helper.make_model(graph), folder / "model.onnx")


def write_exported_onnx(folder: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForTokenClassification

    from backend.training.onnx.export import export_onnx

    config = DistilBertConfig(dim=32, hidden_dim=32, n_layers=1, n_heads=2)
    export_onnx(DistilBertForTokenClassification(config).eval(), folder / "model.onnx")


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    "write", [write_plainly, write_safetensors, write_checkpoint, write_model, write_onnx, write_exported_onnx]
)
def test_failing_write_of_a_real_library_is_explained(write: Callable[[Path], None], tmp_path: Path) -> None:
    message = rf"^Training may not write files as large as a model below {tmp_path}, .+ \(`ulimit -f`\)"
    with pytest.raises(DiskFull, match=message), small_files(), translate_faults(tmp_path):
        write(tmp_path)


def wrapped(*errors: Exception) -> Exception:
    """The last of some errors, each raised from the one before."""
    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FULL = r"^The disk of \S+ is full \(500\.0 GB are free\): free some space there"


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (NO_SPACE, DiskFull, FULL),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), DiskFull, FULL),
        (wrapped(NO_SPACE, RuntimeError("the export failed")), DiskFull, FULL),
        (wrapped(NO_SPACE, ValueError("a"), BaseModelUnavailable("cannot be fetched")), DiskFull, FULL),
        (ValueError("I/O error: No space left on device (os error 28)"), DiskFull, FULL),
        (ValueError("(sqlite3.OperationalError) database or disk is full"), DiskFull, FULL),
        (
            OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
            DiskFull,
            "^Training may not write files as large",
        ),
        (MemoryError(), OutOfMemory, r"^Memory ran out during training: lower TRAIN_BATCH_SIZE"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), OutOfMemory, "^Memory ran out"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            OutOfMemory,
            "^Mem",
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), OutOfMemory, "^Memory"),
        (RuntimeError("std::bad_alloc"), OutOfMemory, "^Memory"),
        (wrapped(MemoryError(), RuntimeError("the step failed")), OutOfMemory, "^Memory"),
    ],
)
def test_fault_of_the_machine_is_named_with_its_remedy(
    error: Exception, kind: type[BackendError], sentence: str, tmp_path: Path
) -> None:
    fault = find_fault(error, tmp_path)
    assert type(fault) is kind
    assert re.match(sentence, str(fault))


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        BaseModelUnavailable("cannot be fetched"),
        ValueError("an annotation says: out of memory"),
    ],
)
def test_any_other_error_is_passed_on_unchanged(error: Exception, tmp_path: Path) -> None:
    assert find_fault(error, tmp_path) is None
    with pytest.raises(type(error)) as caught, translate_faults(tmp_path):
        raise error
    assert caught.value is error


def test_fullest_folder_is_named_with_what_is_free(disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, cache = tmp_path / "models", tmp_path / "cache"
    for folder in (models, cache):
        folder.mkdir()
    monkeypatch.setattr(module.constants, "HF_HUB_CACHE", str(cache))
    disk(models=2 * 10**8, cache=9 * 10**9)
    assert str(find_fault(NO_SPACE, models)) == (
        f"The disk of {models} is full (0.2 GB are free): free some space there or lower KEEP_VERSIONS, "
        "then start training again."
    )
    disk(models=9 * 10**9, cache=2 * 10**8)
    assert str(find_fault(NO_SPACE, models)) == (
        f"The disk of {cache} is full (0.2 GB are free): free some space there, then start training again."
    )


def test_error_that_says_nothing_is_explained_by_a_full_disk(disk: Disk, tmp_path: Path) -> None:
    error = RuntimeError("basic_string: construction failed")
    assert find_fault(error, tmp_path) is None
    disk(**{tmp_path.name: 10**6})
    assert "is full (0.0 GB are free)" in str(find_fault(error, tmp_path))


@pytest.mark.usefixtures("disk")
def test_cancellation_and_translated_faults_are_passed_on(tmp_path: Path) -> None:
    for error in (RunCancelled("cancelled"), DiskFull("full"), OutOfMemory("out")):
        error.__context__ = NO_SPACE
        with pytest.raises(type(error)) as caught, translate_faults(tmp_path):
            raise error
        assert caught.value is error
