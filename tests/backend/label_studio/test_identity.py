from __future__ import annotations

import pytest

from backend.errors import LabelStudioUnreachable, ProjectReplaced
from backend.label_studio.identity import same_project
from tests.backend.fakes import UID, FakeLabelStudio


def test_project_that_is_still_the_same_is_given_back() -> None:
    assert same_project(FakeLabelStudio(tasks=3), UID).tasks == 3


def test_replaced_project_is_named_with_both_uids_and_the_remedy() -> None:
    with pytest.raises(ProjectReplaced) as raised:
        same_project(FakeLabelStudio("7.1999999999"), UID)
    assert str(raised.value) == (
        "Project 7 in Label Studio is not the one this model was trained for (it is 7.1999999999, the model belongs to "
        f"{UID}): connect it again with `python -m backend connect --project 7`."
    )


def test_unreachable_label_studio_is_not_taken_for_a_replaced_project() -> None:
    with pytest.raises(LabelStudioUnreachable):
        same_project(FakeLabelStudio(down=LabelStudioUnreachable("no answer")), UID)
