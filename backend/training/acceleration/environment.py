"""Environment variables that the C libraries of a training process read once, when it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

TUNABLES = {
    "glibc.malloc.mmap_threshold": 32 * 2**20,
    "glibc.malloc.trim_threshold": 2**31 - 1,
    "glibc.malloc.top_pad": 256 * 2**20,
    "glibc.malloc.hugetlb": 1,
}
"""Every optimiser step frees its gradients and allocates as much again. By default the C library returns them to the
kernel, which must clear each page again, and so many small pages exceed the processor's address cache (TLB). These
settings keep freed memory, in large pages where the kernel has them. (glibc manual, "Memory Allocation Tunables".)"""

SPIN_COUNT = 30_000
"""Rounds that an idle OpenMP thread spins before it sleeps: a fraction of a millisecond. Without spinning, training
takes a fifth longer; with OpenMP's default, idle threads take the cores from annotators' requests."""


def training_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a training process: ``inherited`` and our settings, which do not override inherited ones."""
    theirs = inherited.get("GLIBC_TUNABLES")
    tunables = ":".join(f"{name}={value}" for name, value in TUNABLES.items())
    return {
        "GOMP_SPINCOUNT": str(SPIN_COUNT),
        **inherited,
        "GLIBC_TUNABLES": f"{tunables}:{theirs}" if theirs else tunables,
    }
