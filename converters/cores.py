"""The number of processor cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(*, root: Path = Path("/")) -> int:
    """The smaller of the cores this process may run on and its container's CPU quota, rounded up; at least 1.

    ``taskset`` and ``docker run --cpuset-cpus`` limit the first, ``--cpus`` and Kubernetes' CPU limits the second.
    ``root`` is the folder with ``/proc`` and ``/sys``.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_cores(root)
    return affinity if quota is None else max(1, min(affinity, math.ceil(quota)))


def cgroup_cores(root: Path) -> float | None:
    """The CPU quota of this process's control groups in cores; ``None`` where they set no limit.

    Reads ``cpu.max`` (version 2) and ``cpu.cfs_quota_us`` (version 1) of the process's own group and of every group
    above it; the smallest counts. A container sees its own group as the root, so the path in
    ``/proc/self/cgroup`` need not exist below ``/sys/fs/cgroup``.
    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    limits = (limit for folder in _groups(root) for limit in (_version_2(folder), _version_1(folder)))
    return min((limit for limit in limits if limit is not None), default=None)


def _groups(root: Path) -> Iterator[Path]:
    """Folders of this process's groups, up to their mount points."""
    mounts = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        group = PurePosixPath(path.lstrip("/"))
        for mount in (mounts / controllers, mounts / "cpu") if controllers else (mounts, mounts / "unified"):
            yield from (mount / folder for folder in (group, *group.parents) if ".." not in folder.parts)


def _version_2(folder: Path) -> float | None:
    quota, period = (*" ".join(_lines(folder / "cpu.max")).split(), "", "")[:2]
    return _cores(quota, period)


def _version_1(folder: Path) -> float | None:
    return _cores("".join(_lines(folder / "cpu.cfs_quota_us")), "".join(_lines(folder / "cpu.cfs_period_us")))


def _cores(quota: str, period: str) -> float | None:
    """``None`` for a quota of ``max`` or -1, and where a file is missing or holds no numbers."""
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
