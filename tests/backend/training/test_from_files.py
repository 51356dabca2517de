from __future__ import annotations

import pytest

from backend.errors import NotEnoughLabels
from backend.training.from_files import make_sets
from backend.training.split import subset_of
from tests import samples
from tests.samples import marked


def test_sets_that_are_not_given_are_tenths_of_the_training_file() -> None:
    documents = samples.documents()
    subsets = make_sets(documents, validation=None, test=[marked("[ramen|Dish]")], labels=samples.LABELS)
    assert [document.id for document in subsets.validation] == [
        document.id for document in documents if subset_of(document.id) == "validation"
    ]
    assert len(subsets.train) + len(subsets.validation) == len(documents)
    assert [document.id for document in subsets.test] == ["test/1"]


def test_training_file_without_entities_is_refused() -> None:
    with pytest.raises(NotEnoughLabels, match="no entity"):
        make_sets([marked("ramen")], validation=[], test=[], labels=())
