"""What the C libraries of a training process are told; they ask once, when it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

TUNABLES = {
    "glibc.malloc.mmap_threshold": 32 * 2**20,
    "glibc.malloc.trim_threshold": 2**31 - 1,
    "glibc.malloc.top_pad": 256 * 2**20,
    "glibc.malloc.hugetlb": 1,
}
"""Every optimiser step frees its gradients and asks for as much again. Left alone, the C library gives them back to the
kernel, which clears each page anew; and small pages of so much memory are more than a processor remembers the places
of. So what is freed is kept, in large pages where the kernel has them. (glibc manual, "Memory Allocation Tunables".)"""

SPIN_COUNT = 30_000
"""Rounds, a fraction of a millisecond, that an idle thread waits for the next product before it sleeps: not at all
costs a fifth of the time, and for as long as OpenMP would, keeps the cores from those who wait for an answer."""


def training_environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a training process: what is ``inherited``, which has the last word, and ours."""
    theirs = inherited.get("GLIBC_TUNABLES")
    tunables = ":".join(f"{name}={value}" for name, value in TUNABLES.items())
    return {
        "GOMP_SPINCOUNT": str(SPIN_COUNT),
        **inherited,
        "GLIBC_TUNABLES": f"{tunables}:{theirs}" if theirs else tunables,
    }
