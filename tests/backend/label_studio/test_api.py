"""The client and the tests' fake implement the Protocols: mypy compares the types, the test what callers may pass."""

from __future__ import annotations

import inspect

import pytest

from backend.label_studio.api import LabelStudioAPI, ProjectSetup
from backend.label_studio.client import LabelStudio
from tests.backend.fakes import FakeLabelStudio

CLIENT: type[ProjectSetup] = LabelStudio
FAKE: type[LabelStudioAPI] = FakeLabelStudio


@pytest.mark.parametrize(("protocol", "implementation"), [(ProjectSetup, CLIENT), (LabelStudioAPI, FAKE)])
def test_every_call_can_be_made_in_the_same_way(protocol: type[object], implementation: type[object]) -> None:
    calls = [name for name, _ in inspect.getmembers(protocol, inspect.isfunction) if not name.startswith("_")]
    assert len(calls) > 10
    for name in calls:
        signature = inspect.signature(getattr(implementation, name))
        assert signature == inspect.signature(getattr(protocol, name)), name
