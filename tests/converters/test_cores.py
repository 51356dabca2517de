from __future__ import annotations

import os
from pathlib import Path

import pytest

from converters.cores import cgroup_cores, usable_cores


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


V1_SELF = "9:name=systemd:/docker/ab\n2:cpu,cpuacct:/docker/ab\n1:memory:/docker/ab\n"

CASES: dict[str, tuple[dict[str, str], float | None]] = {
    "no control groups": ({}, None),
    "v2 container": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "v2 without a limit": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "v2 path of the host": ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
    "v2 limit on a group above": (
        {
            "proc/self/cgroup": "0::/a/b\n",
            "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n",
            "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
        },
        2.0,
    ),
    "v2 outside the namespace": (
        {"proc/self/cgroup": "0::/../x\n", "sys/fs/x/cpu.max": "1 1\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"},
        4.0,
    ),
    "v1 container": (
        {
            "proc/self/cgroup": V1_SELF,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        2.5,
    ),
    "v1 short mount": (
        {
            "proc/self/cgroup": V1_SELF,
            "sys/fs/cgroup/cpu/docker/ab/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/docker/ab/cpu.cfs_period_us": "100000\n",
        },
        0.5,
    ),
    "v1 without a limit": (
        {
            "proc/self/cgroup": V1_SELF,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "nonsense": ({"proc/self/cgroup": "\n:\n0::/\n", "sys/fs/cgroup/cpu.max": "many\n"}, None),
}


@pytest.mark.parametrize(("files", "cores"), CASES.values(), ids=CASES.keys())
def test_limit_is_read_from_the_control_groups(files: dict[str, str], cores: float | None, tmp_path: Path) -> None:
    assert cgroup_cores(machine(tmp_path, files)) == cores


@pytest.mark.parametrize(
    ("quota", "affinity", "expected"),
    [("max", 4, 4), ("150000", 4, 2), ("150000", 1, 1), ("20000", 4, 1), ("900000", 4, 4)],
)
def test_the_stricter_limit_counts_rounded_up(
    quota: str, affinity: int, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machine(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(affinity)), raising=False)
    assert usable_cores(root=root) == expected


def test_files_that_cannot_be_read_set_no_limit(tmp_path: Path) -> None:
    root = machine(tmp_path, {"proc/self/cgroup": "0::/\n"})
    (root / "sys" / "fs" / "cgroup" / "cpu.max").mkdir(parents=True)
    assert cgroup_cores(root) is None


def test_this_machine_has_cores() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
