from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import (
    TOKENIZERS,
    ConllError,
    Document,
    Scheme,
    SidecarError,
    Span,
    Tokenizer,
    read_conll,
    to_documents,
    write_conll,
)
from tests.converters.strategies import clean_spans, texts

CONLL_2003 = """\
-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER

-DOCSTART- -X- -X- O

BRUSSELS NNP I-NP I-LOC
1996-08-22 CD I-NP O

"""
SENTENCES = [
    (("EU", "rejects", "German", "call"), ("B-ORG", "O", "B-MISC", "O")),
    (("Peter", "Blackburn"), ("B-PER", "I-PER")),
]
LAST = [(("BRUSSELS", "1996-08-22"), ("B-LOC", "O"))]


def read(content: str) -> list[list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    documents = read_conll(io.StringIO(content))
    return [[(sentence.tokens, sentence.tags) for sentence in document.sentences] for document in documents]


@pytest.mark.parametrize(
    "content",
    [
        CONLL_2003,
        CONLL_2003.replace("\n", "\r\n"),
        "\ufeff" + CONLL_2003,
        CONLL_2003.replace(" ", "\t"),
        CONLL_2003.replace(" ", "  \t"),
        CONLL_2003.replace("\n\n", "\n \t\n\n\n"),
        CONLL_2003.rstrip("\n"),
        "\n\n" + CONLL_2003,
        CONLL_2003.replace("-DOCSTART- -X- -X- O", "-DOCSTART-"),
        CONLL_2003.replace("-DOCSTART- -X- -X- O\n", "-DOCSTART- -X- O\n"),
    ],
    ids=["as it is", "CRLF", "BOM", "tabs", "mixed", "blank", "no end", "blank start", "bare header", "short header"],
)
def test_conll_2003_is_read_however_it_is_spaced(content: str) -> None:
    assert read(content) == [SENTENCES, LAST]


@pytest.mark.parametrize(
    ("content", "name", "columns", "token_column", "tag_column", "separator", "scheme"),
    [
        (CONLL_2003, "CoNLL-2003", 4, 0, 3, " ", Scheme.IOB1),
        ("a B-X\nb I-X\n", "2 columns", 2, 0, 1, " ", Scheme.IOB2),
        ("a\tS-X\nb c\tO\n", "2 columns", 2, 0, 1, "\t", Scheme.IOBES),
        ("O\ta\nU-X\tb\nO\tc", "tag first", 2, 1, 0, "\t", Scheme.BILOU),
        ("O O\nO B-X\n", "2 columns", 2, 0, 1, " ", Scheme.IOB2),
        ("a NN O\nb NN B-X", "3 columns", 3, 0, 2, " ", Scheme.IOB2),
    ],
)
def test_layout_is_told_by_the_first_lines(
    content: str, name: str, columns: int, token_column: int, tag_column: int, separator: str, scheme: Scheme
) -> None:
    layout = next(read_conll(io.StringIO(content))).layout
    assert layout is not None
    assert (layout.name, layout.columns) == (name, columns)
    assert (layout.token_column, layout.tag_column) == (token_column, tag_column)
    assert (layout.separator, layout.scheme) == (separator, scheme)


def test_tag_first_is_read() -> None:
    assert read("B-Rating\t2\nI-Rating\tstart\nO\tplaces\n\nO\t34\n") == [
        [(("2", "start", "places"), ("B-Rating", "I-Rating", "O"))],
        [(("34",), ("O",))],
    ]


def test_without_headers_each_sentence_is_a_document() -> None:
    assert len(read("a O\n\nb O\n\nc O")) == 3


def test_sentences_before_the_first_header_are_documents_of_their_own() -> None:
    documents = list(read_conll(io.StringIO("a O\n\nb O\n-DOCSTART- O\nc O\n\nd O\n\n-DOCSTART- O\n")))
    assert [(document.line, len(document.sentences)) for document in documents] == [(1, 1), (3, 1), (4, 2), (9, 0)]


def test_file_without_tokens_has_no_layout() -> None:
    assert read("") == read("\n \n") == []
    assert [document.layout for document in read_conll(["-DOCSTART- O\n", "\n"])] == [None]


def test_space_that_is_not_plain_is_part_of_a_token() -> None:
    assert read("1\u00a0000 O\n\u3000 B-X\n") == [[(("1\u00a0000", "\u3000"), ("O", "B-X"))]]


def test_illegal_tags_are_repaired_and_counted() -> None:
    documents = list(read_conll(io.StringIO("a B-X\nb I-X\n\nc O\nd I-X\n\ne O\nf B-X\n")))
    assert [(document.sentences[0].repaired, document.sentences[0].line) for document in documents] == [
        (0, 1),
        (1, 4),
        (0, 7),
    ]
    assert documents[1].sentences[0].tags == ("O", "B-X")


@pytest.mark.parametrize(
    ("content", "line", "remedy"),
    [
        ("a O\nb O\n\nc d O\n", 4, "correct the row"),
        ("a O\nb\n", 2, "1 of the 2 columns"),
        ("a\tO\nb\tO\n\nc\t\tO\n", 4, "correct the row"),
        ("a O\nb O\nc PER\nd O\n", 3, "'PER' is not a tag: write O"),
        ("a\tO\n\tO\n", 2, "token is empty"),
        ("a\nb\nc\n", 1, "write a token and its tag"),
        ("\na b\nc d\n", 2, "write O or B-LABEL"),
        ("# comment here to mend\n" * 3, 1, "is a tag"),
    ],
)
def test_impossible_line_is_named_with_the_remedy(content: str, line: int, remedy: str) -> None:
    with pytest.raises(ConllError, match=rf"^Line {line}: .*{remedy}") as caught:
        read(content)
    assert caught.value.line == line


def test_no_more_is_read_ahead_than_the_layout_takes() -> None:
    taken = itertools.count()

    def endless() -> Iterator[str]:
        for number in taken:
            yield "\n" if number % 4 == 3 else "a O\n"

    documents = read_conll(endless())
    assert [len(next(documents).sentences[0].tokens) for _ in range(3)] == [3, 3, 3]
    assert next(taken) < 20_000


def there_and_back(*documents: Document, tokenizer: Tokenizer = TOKENIZERS["unicode"]) -> list[Document]:
    conll, sidecar = io.StringIO(), io.StringIO()
    write_conll(documents, conll, sidecar=sidecar, tokenizer=tokenizer)
    files = [io.StringIO(file.getvalue().encode().decode(), newline=None) for file in (conll, sidecar)]
    return list(to_documents(read_conll(files[0]), files[1]))


@given(st.data(), st.lists(texts, max_size=4), st.sampled_from(list(TOKENIZERS.values())))
@settings(deadline=None, max_examples=800)
def test_documents_survive_the_way_to_a_file_and_back(
    data: st.DataObject, given_texts: list[str], tokenizer: Tokenizer
) -> None:
    documents = [Document(data.draw(texts), text, tuple(data.draw(clean_spans(text)))) for text in given_texts]
    assert there_and_back(*documents, tokenizer=tokenizer) == documents


@pytest.mark.parametrize(
    "document",
    [
        Document("7", "-DOCSTART- -X- O. Yes", (Span(0, 10, "O"),)),
        Document("#1", "\ud83c\udf63 two lone halves", (Span(0, 2, "\ud83c\udf63"),)),
        Document("1", "a\u202fb. C\x85d\u2028e", (Span(0, 3, "A B"), Span(5, 6, "A_B"), Span(7, 8, "A\tB"))),
        Document("", ""),
    ],
)
@pytest.mark.parametrize("name", TOKENIZERS)
def test_what_breaks_formats_comes_back(document: Document, name: str) -> None:
    assert there_and_back(document, tokenizer=TOKENIZERS[name]) == [document]


def test_without_a_sidecar_words_are_joined_by_spaces_and_sentences_by_line_ends() -> None:
    assert list(to_documents(read_conll(io.StringIO(CONLL_2003)))) == [
        Document(
            "1",
            "EU rejects German call\nPeter Blackburn",
            (Span(0, 2, "ORG"), Span(11, 17, "MISC"), Span(23, 38, "PER")),
        ),
        Document("2", "BRUSSELS 1996-08-22", (Span(0, 8, "LOC"),)),
    ]


def test_entities_end_with_their_sentence() -> None:
    document = next(to_documents(read_conll(io.StringIO("-DOCSTART- O\na I-X\n\nb I-X\n\n-DOCSTART- O\n"))))
    assert document.spans == (Span(0, 1, "X"), Span(2, 3, "X"))


SIDECAR = '{"id":"7","text":"At  Joe\'s!","words":[[[0,2],[4,9],[9,10]]],"labels":{"A_B":"A B"}}\n'


def restored(conll: str, sidecar: str = SIDECAR) -> list[Document]:
    return list(to_documents(read_conll(io.StringIO(conll)), io.StringIO(sidecar)))


def test_edited_tags_and_sentences_are_honoured() -> None:
    assert restored("-DOCSTART- O\nAt O\nJoe's B-A_B\n! I-New\n") == [
        Document("7", "At  Joe's!", (Span(4, 9, "A B"), Span(9, 10, "New")))
    ]
    assert restored("-DOCSTART- O\nAt O\n\nJoe's B-A_B\n\n! O\n")[0].spans == (Span(4, 9, "A B"),)


@pytest.mark.parametrize(
    ("conll", "sidecar", "problem"),
    [
        ("At O\nJoe's O\n", SIDECAR, "document '7' has 2 tokens, 3 in the sidecar"),
        ("At O\nMoe's O\n! O\n", SIDECAR, "document '7' has the token \"Moe's\""),
        ("At O\nJoe's O\n! O\n", "", "the sidecar ends before"),
        ("At O\nJoe's O\n! O\n", SIDECAR * 2, "document '7', which is not in the CoNLL file"),
        ("At O\n", "{}\n", "of the sidecar cannot be read, since it does not hold an id"),
        ("At O\n", "[]\n", "of the sidecar cannot be read"),
        ("At O\n", "At O\n", "of the sidecar cannot be read, since it is not JSON: export both files again"),
        ("At O\n", '{"id":"1","text":"At","words":[[[0]]]}', "since it does not hold an id"),
    ],
)
def test_sidecar_of_another_file_is_an_error_that_names_the_document(conll: str, sidecar: str, problem: str) -> None:
    with pytest.raises(SidecarError, match=problem.replace("[", r"\[")):
        restored(conll, sidecar)


def test_sidecar_keeps_the_text_of_a_task_and_that_lines_are_sentences() -> None:
    document = Document("7", "U.S. wins .\nYes", (Span(0, 4, "X"),), text_name="left", sentence_per_line=True)
    [restored_document] = there_and_back(document)
    assert restored_document == document
    assert restored_document.sentence_per_line


def test_sidecar_has_one_line_a_document(tmp_path: Path) -> None:
    path = tmp_path / "out.conll.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as sidecar:
        documents = [Document("7", "Hi. At\u2028Joe's", (Span(0, 2, "A B"),)), Document("8", "")]
        write_conll(documents, io.StringIO(), sidecar=sidecar)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "id": "7",
            "text": "Hi. At\u2028Joe's",
            "words": [[[0, 2], [2, 3]], [[4, 6], [7, 12]]],
            "labels": {"A_B": "A B"},
        },
        {"id": "8", "text": "", "words": []},
    ]
