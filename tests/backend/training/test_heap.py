from __future__ import annotations

import subprocess
import sys

import pytest

KEEPS = """
import ctypes
from backend.training.heap import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def use_and_free():
    libc = ctypes.CDLL("libc.so.6")
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [libc.malloc(2 ** 22) for _ in range(32)]
    for block in blocks:
        ctypes.memset(block, 1, 2 ** 22)
    for block in blocks:
        libc.free(block)

before = resident()
{call}
use_and_free()
print((resident() - before) // 2 ** 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
@pytest.mark.parametrize("keeps", [False, True])
def test_freed_memory_stays_with_the_process(keeps: bool) -> None:
    script = KEEPS.replace("{call}", "keep_freed_memory()" if keeps else "")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (int(done.stdout) >= 120) == keeps
