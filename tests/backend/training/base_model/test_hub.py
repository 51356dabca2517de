from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import BaseModelUnavailable
from backend.training.base_model import hub

FETCH = """
import sys
from backend.errors import BaseModelUnavailable
from backend.training.base_model import hub
hub.STALL_SECONDS = 2.0
try:
    hub.fetch(sys.argv[1])
except BaseModelUnavailable as error:
    sys.exit(str(error))
"""


def fetch(name: str, *, endpoint: str, home: Path) -> tuple[str, float]:
    """Fetch a model in a process whose hub is ``endpoint``; return its error message, and the seconds."""
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        environment |= {proxy: "", proxy.upper(): ""}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", FETCH, name], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    return done.stderr.strip().splitlines()[-1], time.monotonic() - started


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_refused_connection_is_one_clear_line(tmp_path: Path) -> None:
    message, seconds = fetch("distilbert/distilbert-base-uncased", endpoint="http://127.0.0.1:9", home=tmp_path)
    assert "BASELINE_MODEL_NAME=distilbert/distilbert-base-uncased cannot be downloaded" in message
    assert "http://127.0.0.1:9" in message
    assert "`embedded`" in message
    assert seconds < 45


def test_silent_hub_is_given_up(tmp_path: Path, silent_server: str) -> None:
    message, seconds = fetch("distilbert/distilbert-base-uncased", endpoint=silent_server, home=tmp_path)
    assert "nothing received for 2 s" in message
    assert seconds < 30


@pytest.mark.parametrize("name", ["no//name", "../../etc", "a/b/c", "with space", "", "-"])
def test_invalid_name_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(BaseModelUnavailable, match="neither a folder here nor a valid model name") as caught:
        hub.fetch(name)
    assert f"BASELINE_MODEL_NAME={name} cannot be downloaded" in str(caught.value)
