"""Our CoNLL files, read by the tools that others read them with."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from backend.demo.samples import load_samples
from converters import Document, Span, read_conll, write_conll

AWKWARD = [
    Document("a", "two pizzas, pizza-pasta!", (Span(4, 9, "Dish"), Span(12, 17, "Dish"), Span(18, 23, "Dish"))),
    Document("b", "波士顿的北京烤鸭", (Span(0, 3, "Location"), Span(4, 8, "Dish"))),
    Document(
        "c", "First sentence ends. A second in Boston! 🍣 here?", (Span(33, 39, "Location"), Span(41, 42, "Dish"))
    ),
    Document("d", "padthaitacos", (Span(0, 7, "Dish"), Span(7, 12, "Dish"))),
    Document("e", "   "),
    Document("f", "nothing here"),
]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return load_samples().labelled + AWKWARD


@pytest.fixture(scope="module")
def entities(documents: list[Document]) -> Counter[str]:
    return Counter(span.label for document in documents for span in document.spans)


@pytest.fixture(scope="module")
def file(documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conll") / "export.conll"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        write_conll(documents, stream)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("converter", ["conll", "ner"])
def test_spacy_convert_finds_every_document_and_entity(
    file: Path, documents: list[Document], entities: Counter[str], converter: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "spacy", "convert", str(file), str(tmp_path), "-c", converter]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    count = (
        "import spacy, sys, collections; from spacy.tokens import DocBin;"
        "docs = list(DocBin().from_disk(sys.argv[1]).get_docs(spacy.blank('xx').vocab));"
        "print(len(docs), sorted(collections.Counter(e.label_ for d in docs for e in d.ents).items()))"
    )
    [spacy_file] = tmp_path.glob("*.spacy")
    read = subprocess.run(
        [sys.executable, "-c", count, str(spacy_file)], capture_output=True, text=True, timeout=120, check=True
    )
    assert read.stdout.strip() == f"{len(with_words(documents))} {sorted(entities.items())}"


def with_words(documents: list[Document]) -> list[Document]:
    """The documents that have sentences: spaCy drops the others."""
    return [document for document in documents if document.text.strip()]


def lesson_documents(file: Path) -> int:
    """Documents as the lesson's loader splits them: it skips headers and blank lines, each header begins a document."""
    count = 0
    for line in file.read_text(encoding="utf-8").split("\n"):
        if line.startswith("-DOCSTART-"):
            count += 1
        elif line:
            token, _, _, tag = line.split(" ")
            assert token
            assert tag
    return count


def datasets_documents(file: Path, cache: Path) -> int:
    from datasets import load_dataset

    names = ["token", "pos", "chunk", "tag"]
    options = {"sep": " ", "column_names": names, "quoting": 3, "keep_default_na": False}
    rows = load_dataset("csv", data_files=str(file), split="train", cache_dir=str(cache), **options)
    return list(rows["token"]).count("-DOCSTART-")


def nltk_documents(file: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """NLTK removes the header from its block, which leaves a sentence without words."""
    import nltk.data
    from nltk.corpus.reader.conll import ConllCorpusReader

    monkeypatch.setattr(nltk.data, "path", [str(file.parent)])
    reader = ConllCorpusReader(str(file.parent), file.name, ("words", "pos", "ignore", "chunk"), encoding="utf-8")
    return sum(not sentence for sentence in reader.sents())


def spacy_documents(file: Path) -> int:
    converter = importlib.import_module("spacy.training.converters.conll_ner_to_docs")
    return len(list(converter.conll_ner_to_docs(file.read_text(encoding="utf-8"), n_sents=1, no_print=True)))


@pytest.mark.slow
def test_all_tools_count_the_same_documents(
    documents: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = with_words(documents)
    file = tmp_path / "documents.conll"
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        write_conll(written, stream)
    with file.open(encoding="utf-8", newline="") as stream:
        ours = len(list(read_conll(stream)))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    counts = {
        "this package": ours,
        "spaCy": spacy_documents(file),
        "NLTK": nltk_documents(file, monkeypatch),
        "datasets": datasets_documents(file, tmp_path),
        "the lesson's loader": lesson_documents(file),
    }
    assert counts == dict.fromkeys(counts, len(written))


def test_nltk_corpus_reader_finds_every_entity(
    file: Path, entities: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk.data
    from nltk.corpus.reader.conll import ConllCorpusReader

    monkeypatch.setattr(nltk.data, "path", [str(file.parent)])  # nltk reads only from folders in this list
    reader = ConllCorpusReader(str(file.parent), file.name, ("words", "pos", "ignore", "chunk"), encoding="utf-8")
    rows = reader.iob_words()
    assert Counter(tag[2:] for _, _, tag in rows if tag.startswith("B-")) == entities
    trees = reader.chunked_sents()
    assert Counter(child.label() for tree in trees for child in tree if hasattr(child, "label")) == entities


def test_seqeval_finds_every_entity_in_strict_iob2(file: Path, entities: Counter[str]) -> None:
    from seqeval.scheme import IOB2, Entities

    blocks = [block for block in file.read_text(encoding="utf-8").split("\n\n") if "DOCSTART" not in block]
    tags = [[row.rpartition(" ")[2] for row in block.splitlines() if row] for block in blocks]
    counted = Entities([sentence for sentence in tags if sentence], IOB2)
    assert Counter(entity.tag for sentence in counted.entities for entity in sentence) == entities


def test_datasets_reads_four_columns_in_every_row(
    file: Path, entities: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    rows = load_dataset(
        "csv",
        data_files=str(file),
        sep=" ",
        column_names=["token", "pos", "chunk", "tag"],
        quoting=3,
        keep_default_na=False,
        split="train",
        cache_dir=str(tmp_path),
    )
    assert Counter(tag[2:] for tag in rows["tag"] if tag.startswith("B-")) == entities
    assert all(rows["token"])


def test_the_docs_table_of_exporters_is_what_the_script_prints() -> None:
    from bench.exporters import BEGIN, DOCUMENT, END, table

    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table()
