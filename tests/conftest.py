"""What many tests share: a few labelled documents, and one real model version trained on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converters.document import Document
from converters.tagged import TaggedDocument
from tests import samples

if TYPE_CHECKING:
    from backend.training.build import BuiltVersion
    from tests.site import Site

# Threads of torch that wait by spinning take the cores from whatever else runs, three times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def sample_documents() -> list[Document]:
    return samples.documents()


@pytest.fixture(scope="session")
def tagged_documents() -> list[TaggedDocument]:
    return samples.tagged_documents()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, sample_documents: list[Document]) -> BuiltVersion:
    """One version trained with the embedded encoder, and what building it reported."""
    # Imported here: torch takes seconds to load, and most tests do without.
    from backend.recipe import Recipe
    from backend.training.build import build_version

    folder = tmp_path_factory.mktemp("versions") / "ner-v1"
    return build_version(
        sample_documents,
        labels=samples.LABELS,
        name="ner-v1",
        recipe=Recipe(base="embedded", epochs=10),
        folder=folder,
        progress=lambda phase, fraction: None,
    )


@pytest.fixture(scope="session")
def version_folder(built: BuiltVersion) -> Path:
    """Folder of a finished version. Read only: copy it to change it."""
    return built.folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real Label Studio and a real service, one of each for the session."""
    from tests.site import running_site

    with running_site(tmp_path_factory.mktemp("site")) as site:
        yield site
