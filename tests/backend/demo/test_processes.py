from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from backend.demo.processes import DemoError, Processes, require_free_ports

# A process that starts another and writes both ids into a file.
FAMILY = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
file = pathlib.Path(sys.argv[1])
file.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
file.with_suffix(".new").rename(file)
time.sleep(60)
"""


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_taken_port_is_named_with_the_way_to_choose_another() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(DemoError, match=rf"Port {port} \(PORT\) is taken .* `make demo PORT=\d+`"):
            require_free_ports({"PORT": port})


def test_free_ports_are_accepted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    require_free_ports({"PORT": port, "LABEL_STUDIO_PORT": port})


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads process states from /proc")
def test_stopping_ends_a_process_and_what_it_started(tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    with Processes(tmp_path / "logs") as processes:
        processes.start("family", [sys.executable, "-c", FAMILY, str(ids)], os.environ)
        deadline = time.monotonic() + 20
        while not ids.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        family = [int(process) for process in ids.read_text().split()]
        assert all(map(is_alive, family))
    deadline = time.monotonic() + 5
    while any(map(is_alive, family)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, family))


def test_a_process_that_ends_by_itself_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("serve", [sys.executable, "-c", "raise SystemExit('no database')"], os.environ)
        with pytest.raises(DemoError, match=r"serve ended with exit code 1; its log .*serve\.log ends with: no data"):
            processes.wait_for("http://127.0.0.1:9/health", name="serve", seconds=20, tick=lambda _: None)
