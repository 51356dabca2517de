"""CoNLL files as other tools and corpora write them, in small."""

from __future__ import annotations

import io

import pytest

from converters import ConllError, ConllOptions, Document, read_conll, to_documents

Entities = list[tuple[str, str]]


def documents(content: str, options: ConllOptions | None = None) -> list[Document]:
    return list(to_documents(read_conll(io.StringIO(content, newline=""), options)))


def texts(content: str, options: ConllOptions | None = None) -> list[str]:
    return [document.text for document in documents(content, options)]


def entities(content: str, options: ConllOptions | None = None) -> Entities:
    return [
        (document.text[span.start : span.end], span.label)
        for document in documents(content, options)
        for span in document.spans
    ]


COUNTED = "".join(f"{number if number != 20 else 21}\tw{number}\tO\n" for number in range(1, 40)) + "40\tRome\tB-LOC\n"
"""Counted rows, of which one has the wrong number."""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0\tin\tO\n1\tTuvalu\tB-LOC\n\n0\tParis\tB-LOC\n", ["in Tuvalu", "Paris"]),
        ("1 Ana B-PER\n2 left O\n\n3 Bo B-PER\n4 saw O\n5 1984 O\n", ["Ana left", "Bo saw 1984"]),
        ("4711 Ana B-PER\n4712 left O\n4713 home O\n\n4714 Bo B-PER\n", ["Ana left home", "Bo"]),
        ("1 EU NNP B-NP B-ORG\n2 said VBD B-VP O\n\n1 Bo NNP B-NP B-PER\n", ["EU said", "Bo"]),
        ("1\tB-PER\tAna\n2\tO\tleft\n", ["Ana left"]),
        ("1\tAna\tPER\n2\tleft\tO\n3\tBo\tPER\n", ["Ana left Bo"]),
        ("1\tParis\tB-LOC\n", ["Paris"]),
        ("1-2\tdel\t_\n1\tde\tO\n2\tel\tO\n2.1\tx\t_\n3\tMar\tB-LOC\n", ["de el Mar"]),
        ("0\t-DOCSTART-\tO\n\n0\tAna\tB-PER\n1\tx\tO\n\n0\t-DOCSTART-\tO\n\n0\tBo\tB-PER\n", ["Ana x", "Bo"]),
        ("\tWord\tTag\n0\tAna\tB-PER\n1\tleft\tO\n", ["Ana left"]),
        ("1\tAna\tB-PER\n1\tleft\tO\n2\tBo\tB-PER\n2\tstayed\tO\n", ["Ana left", "Bo stayed"]),
        (
            "Sentence #\tWord\tPOS\tTag\nSentence: 1\tAna\tNNP\tB-per\n\tleft\tVBD\tO\nSentence: 2\tBo\tNNP\tB-per\n",
            ["Ana left", "Bo"],
        ),
    ],
)
def test_column_that_counts_rows_or_sentences_is_not_the_words(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


def test_count_of_rows_with_a_gap_is_still_one() -> None:
    assert entities(COUNTED) == [("Rome", "LOC")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1 O\n2 O\n3 B-X\n", "1 2 3"),
        ("1 CD B-NUM\n2 CD O\n3 CD O\n", "1 2 3"),
        ("1 -X- _ O\n2 -X- _ B-NUM\n", "1 2"),
        ("12 twelve B-NUM\n5 five O\n7 seven O\n", "12 5 7"),
        ("B-X 1\nO 2\nO 3\n", "1 2 3"),
        ("1 NNP B-X\n", "1"),
    ],
)
def test_words_that_are_numbers_stay_words(content: str, expected: str) -> None:
    assert texts(content) == [expected]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# id 7f1 domain=en\nana _ _ B-PER\nleft _ _ O\n\n# id 7f2 domain=en\nbo _ _ B-PER\n", ["ana left", "bo"]),
        ("# newdoc\n# sent_id = 1\n# text = go\n1\tgo\tO\t-\t-\n2\tRome\tB-LOC\t-\t-\n", ["go Rome"]),
        ("# text = O\nAna _ _ B-PER\n\n# text = no\nBo _ _ B-PER\n", ["Ana", "Bo"]),
        ("#\thttp://a\t[2009]\n1\tBo\tB-PER\tO\n2\tran\tO\tO\n", ["Bo ran"]),
        ("#begin document (x); part 000\nAna B-PER\nleft O\n\n#end document\n", ["Ana left"]),
        ("# newdoc\nAna PER\nleft O\n# O\n#x PER\n\n# newpar\nBo PER\n", ["Ana left # #x", "Bo"]),
        ("#love O\n# O\nAna B-PER\n#1 O\n", ["#love # Ana #1"]),
        ("#love O\n#x B-PER\n", ["#love #x"]),
    ],
)
def test_comments_are_left_out_and_words_with_a_hash_stay(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


@pytest.mark.parametrize(
    "names",
    ["TOKEN TAG", "word\tlabel", "Words Labels", "sentence_id words labels", "# TAG"],
)
def test_row_of_names_is_left_out(names: str) -> None:
    assert texts(f"{names}\nAna B-PER\nleft O\n\nBo B-PER\n") == ["Ana left", "Bo"]


def test_scheme_is_that_of_the_rows_below_the_names() -> None:
    [document] = read_conll(io.StringIO("word tag\nAna I-PER\nLopez I-PER\nat O\n"))
    assert (document.layout and document.layout.scheme, document.sentences[0].repaired) == ("IOB1", 0)


def test_row_of_names_chooses_the_columns() -> None:
    assert entities("tag\tword\tnote\nB-PER\tAna\tO\nO\tleft\tO\n") == [("Ana", "PER")]
    assert entities("Word NER Pred\nAna B-PER O\nleft O B-LOC\n") == [("Ana", "PER")]
    assert texts("sentence_id\twords\tlabels\ns1\tAna\tB-PER\ns1\tleft\tO\ns2\tBo\tB-PER\n") == ["Ana left", "Bo"]


def test_row_of_names_in_each_part_of_a_joined_file_is_left_out() -> None:
    assert texts("token\ttag\nAna\tB-PER\n\ntoken\ttag\nBo\tB-PER\n") == ["Ana", "Bo"]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B_PER I_PER O B_ORG", "IOB2"),
        ("B:PER I:PER O B:ORG", "IOB2"),
        ("B/PER I/PER O B/ORG", "IOB2"),
        ("PER-B PER-I O ORG-B", "IOB2"),
        ("PER_B PER_I O ORG_B", "IOB2"),
        ("b-PER i-PER o b-ORG", "IOB2"),
        ("B-PER i-PER O b-ORG", "IOB2"),
        ("B-PER E-PER O S-ORG", "IOBES"),
        ("B-PER E-PER O W-ORG", "IOBES"),
        ("b_PER l_PER o u_ORG", "BILOU"),
        ("PER PER O ORG", "IO"),
    ],
)
def test_tags_are_read_in_any_form(tags: str, scheme: str) -> None:
    words = ["Ana", "Lopez", "at", "UN"]
    content = "".join(f"{word} {tag}\n" for word, tag in zip(words, tags.split(), strict=True))
    assert entities(content) == [("Ana Lopez", "PER"), ("UN", "ORG")]
    layout = next(read_conll(io.StringIO(content))).layout
    assert layout is not None
    assert layout.scheme == scheme


def test_middle_of_bmes_is_inside() -> None:
    assert entities("吴 B-NAME\n重 M-NAME\n阳 E-NAME\n， O\n李 S-NAME\n") == [("吴 重 阳", "NAME"), ("李", "NAME")]


def test_types_without_prefix_say_that_touching_entities_are_one() -> None:
    layout = next(read_conll(io.StringIO("Ana PERSON\nBo PERSON\nsaw O\nRome CITY\n"))).layout
    assert layout is not None
    assert "touch cannot be told apart" in layout.describe()


def test_bare_tags_take_the_label_that_is_given() -> None:
    content = "asthma B\nattack I\nand O\nfever B\n"
    assert entities(content, ConllOptions(label="DISEASE")) == [("asthma attack", "DISEASE"), ("fever", "DISEASE")]
    assert entities("a B\nb E\nc S\n", ConllOptions(label="X")) == [("a b", "X"), ("c", "X")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Ana\tB-PER\t\nleft\tO\t\n", ["Ana left"]),
        ("New York\tB-LOC\t\t\nis\tO\nbig\tO\t\n", ["New York is big"]),
        ("Ana B-PER\t\nleft O\t\n", ["Ana left"]),
        ("Ana\tB-PER\nleft\tO\tto check\nBo\tB-PER\n", ["Ana left Bo"]),
        ("1\tAna\tB-PER\tO\n2\tleft\tO\n3\tBo\tB-PER\tO\n", ["Ana left Bo"]),
        ("Ana B-PER\n\n\ufeff\nBo B-PER\n", ["Ana", "Bo"]),
        ("Ana B-PER\n\ufeff\t\nBo B-PER\n", ["Ana", "Bo"]),
        ("Ana B-PER\n\n\ufeffBo B-PER\n", ["Ana", "Bo"]),
        ("\ufeff-DOCSTART- O\n\nAna O\n\n\ufeff-DOCSTART- O\n\nBo B-PER\n", ["Ana", "Bo"]),
        ("Ana B-PER\n\u00a0\nBo B-PER\n", ["Ana", "Bo"]),
        ("Ana\tB-PER\n\x0c\nBo\tB-PER\n", ["Ana", "Bo"]),
        ("Ana B-PER\rleft O\r\rBo B-PER\r", ["Ana left", "Bo"]),
    ],
)
def test_blank_columns_notes_and_byte_order_marks_do_no_harm(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


@pytest.mark.parametrize("header", ["-DOCSTART- -X- O O", "-DOCSTART- -X- O", "-DOCSTART-", "-DOCSTART- (1 EU)"])
def test_documents_begin_at_headers_of_any_form_and_keep_their_sentences(header: str) -> None:
    rows = f"{header}\n\nAna NNP B-NP B-PER\nleft VBD B-VP O\n\nBo NNP B-NP B-PER\n\n{header}\n\nCy NNP B-NP O\n"
    assert texts(rows) == ["Ana left\nBo", "Cy"]


@pytest.mark.parametrize("blank", ["\n", ""])
def test_one_header_for_a_whole_file_makes_each_sentence_a_document(blank: str) -> None:
    content = f"-DOCSTART- -X- O\n{blank}Ana -X- _ B-PER\nleft -X- _ O\n\nBo -X- _ B-PER\n"
    assert texts(content) == ["Ana left", "Bo"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ConllOptions(), [("Bonn", "ORG")]),
        (ConllOptions(tag_column=2), [("Ana", "PER"), ("Bonn", "LOC")]),
        (ConllOptions(tag_column=-2), [("Ana", "PER"), ("Bonn", "LOC")]),
        (ConllOptions(token_column=1, tag_column=-1), [("Bonn", "ORG")]),
    ],
)
def test_options_choose_the_columns(options: ConllOptions, expected: Entities) -> None:
    assert entities("Ana\tB-PER\tO\nBonn\tB-LOC\tB-ORG\n", options) == expected


def test_option_makes_counted_rows_words() -> None:
    assert texts("1\tone\tB-NUM\n2\ttwo\tO\n", ConllOptions(token_column=1)) == ["1 2"]


def test_outer_entities_are_in_the_column_after_counted_words() -> None:
    assert entities("1\tFC\tB-ORG\tO\n2\tBonn\tI-ORG\tB-LOC\n") == [("FC Bonn", "ORG")]


def test_chunks_are_tags_only_where_there_are_no_others() -> None:
    assert entities("He PRP B-NP\nreads VBZ B-VP\n") == [("He", "NP"), ("reads", "VP")]
    assert entities("EU B-ORG B-NP\nsaid O B-VP\n") == [("EU", "ORG")]


@pytest.mark.parametrize(
    ("content", "options", "line", "remedy"),
    [
        ("asthma B\nand O\n", ConllOptions(), 1, "give the label with --label NAME"),
        ("Ana B-PER\n", ConllOptions(label="X"), 1, "leave out --label"),
        ("Ana B-PER O\n", ConllOptions(tag_column=4), 1, "give --tag-column 1 to 3"),
        ("Ana B-PER O\n", ConllOptions(token_column=0), 1, "give --token-column 1 to 3"),
        ("Ana B-PER O\n", ConllOptions(token_column=2, tag_column=-2), 1, "column 2 cannot hold both"),
        ("Ana NN O\nran VB B-X\n", ConllOptions(tag_column=2), 1, "'NN' in column 2 is not a tag"),
        ("#love O\n\n# 1 O\nAna B-PER\n", ConllOptions(), 3, "delete it if it is a comment"),
        ("Ana B-PER\n# id 2\nBo B-PER\n", ConllOptions(), 2, "delete it if it is a comment"),
        ("Wort Etikett\nAna B-PER\nging O\n", ConllOptions(), 1, "If this row names the columns, delete it"),
        ("1\tAna\tB-PER\n2-3\tx\ty\n2\tto\tO\n3\tin\tPER\n", ConllOptions(), 4, "'PER' is not a tag"),
        ("Ana\tB-PER\nat\tO\tB-X\nBo\tO\n", ConllOptions(), 2, "3 of the 2 columns"),
        ("a NN B-NP O\nb O\nc NN B-NP B-X\n", ConllOptions(), 2, "2 of the 4 columns"),
        ('[{"id": 1, "data": {}}]\n', ConllOptions(), 1, "JSON, not CoNLL: use label-studio-to-conll"),
        ("id,text,annotation_id,lead_time\n1,a,1,2\n", ConllOptions(), 1, "Label Studio's CSV export"),
        ("Word,Tag\nAna,B-PER\n", ConllOptions(), 1, "separated by commas: separate them with tabs"),
        ("<View></View>\n", ConllOptions(), 1, "this is XML"),
    ],
)
def test_what_is_not_certain_is_refused_with_the_line_and_the_remedy(
    content: str, options: ConllOptions, line: int, remedy: str
) -> None:
    with pytest.raises(ConllError, match=rf"^Line {line}: .*{remedy}"):
        documents(content, options)


def test_description_names_columns_from_one() -> None:
    layout = next(read_conll(io.StringIO("# a\n1\tAna\tPER_B\tO\n2\tleft\tO\tO\n"))).layout
    assert layout is not None
    assert layout.describe() == (
        "Tokens in column 2, tags in column 3 (written LABEL_B, IOB2), of 4 separated by tabs; "
        "column 1 counts the rows; comment lines are skipped."
    )
