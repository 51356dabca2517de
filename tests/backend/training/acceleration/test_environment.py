from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.training.acceleration.environment import training_environment

USE_AND_FREE = """
import ctypes

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
before = resident()
blocks = [libc.malloc(2 ** 22) for _ in range(32)]
for block in blocks:
    ctypes.memset(block, 1, 2 ** 22)
for block in blocks:
    libc.free(block)
print((resident() - before) // 2 ** 20)
with open("/proc/self/smaps") as file:
    flags = {}
    for line in file:
        words = line.split()
        if not words[0].endswith(":"):
            area = words[-1]
        elif words[0] == "VmFlags:":
            flags[area] = flags.get(area, []) + words[1:]
print("hg" in flags.get("[heap]", []))
"""

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")

linux = pytest.mark.skipif(sys.platform != "linux", reason="only glibc has tunables")


def used(environment: dict[str, str]) -> tuple[int, bool]:
    """MiB that a process keeps of 128 that it has freed, and whether its heap asks for large pages."""
    done = subprocess.run(
        [sys.executable, "-c", USE_AND_FREE], capture_output=True, text=True, check=True, env=environment
    )
    kept, large = done.stdout.split()
    return int(kept), large == "True"


@linux
def test_freed_memory_stays_with_the_process_in_large_pages() -> None:
    kept, large = used(training_environment())
    assert kept >= 120
    assert large == (THP.exists() and "[madvise]" in THP.read_text())


@linux
def test_other_processes_give_it_back() -> None:
    kept, _ = used({name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"})
    assert kept < 120


def test_inherited_settings_are_not_overridden() -> None:
    mine = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0", "GOMP_SPINCOUNT": "5", "HOME": "/somewhere"}
    environment = training_environment(mine)
    assert environment["GLIBC_TUNABLES"].endswith(":glibc.malloc.hugetlb=0")  # the last one counts
    assert (environment["GOMP_SPINCOUNT"], environment["HOME"]) == ("5", "/somewhere")
