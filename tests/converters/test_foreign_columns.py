"""Columns without words, forms of tags, comments and headers of CoNLL files of other tools."""

from __future__ import annotations

import pytest

from converters import ConllError, ConllOptions
from tests.converters.test_foreign_conll import documents, entities, texts

ONTONOTES = (
    "#begin document (bc/cctv/00/cctv_0000); part 000\n"
    "bc/cctv/00/cctv_0000 0 0 In IN * O\nbc/cctv/00/cctv_0000 0 1 Rome NNP * B-GPE\n\n"
    "bc/cctv/00/cctv_0000 0 0 Bo NNP * B-PER\n\n#end document\n"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1\t1\tAna\tB-PER\n1\t2\tleft\tO\n\n2\t1\tBo\tB-PER\n", ["Ana left", "Bo"]),
        ("1\t1\tAna\tB-PER\n1\t2\tleft\tO\n2\t1\tBo\tB-PER\n2\t2\tran\tO\n", ["Ana left", "Bo ran"]),
        ("1.1\tAna\tB-PER\n1.2\tleft\tO\n\n2.1\tBo\tB-PER\n", ["Ana left", "Bo"]),
        ("1-1\tAna\tB-PER\n1-2\tleft\tO\n", ["Ana left"]),
        ("s1-1\tAna\tB-PER\ns1-2\tleft\tO\n\ns2-1\tBo\tB-PER\n", ["Ana left", "Bo"]),
        ("0\t3\tAna\tB-PER\n4\t8\tleft\tO\n", ["Ana left"]),
        ("1\t0\t3\tAna\tB-PER\n2\t4\t8\tleft\tO\n", ["Ana left"]),
        ("0\tAna\tB-PER\n4\tleft\tO\n9\tRome\tB-LOC\n", ["Ana left Rome"]),
        ("doc1 0 Ana B-PER\ndoc1 1 left O\n", ["Ana left"]),
        ("doc1 Ana B-PER\ndoc1 left O\n\ndoc2 Bo B-PER\n", ["Ana left", "Bo"]),
        (ONTONOTES, ["In Rome", "Bo"]),
    ],
)
def test_numbers_names_and_offsets_before_the_words_are_skipped(content: str, expected: list[str]) -> None:
    assert texts(content) == expected


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("1\tAna\tB-PER\n2\tleft\tO\n\nx\tBo\tB-PER\n", 4),
        ("1 Ana B-PER\n2 left O\n\nBo ran O\n", 4),
        ("1.1\tAna\tB-PER\n1.2\tleft\tO\n2.1\tBo\tB-PER\n", 1),
        ("train Ana B-PER\ntrain ran O\n\ndev Bo B-PER\n", 1),
        ("".join(f"{number * 37 % 101}\tw{chr(97 + number)}\tO\n" for number in range(12)) + "5\tRome\tB-LOC\n", 1),
    ],
)
def test_column_that_may_number_the_rows_is_refused_and_read_if_chosen(content: str, line: int) -> None:
    with pytest.raises(ConllError, match=rf"^Line {line}: .*give the column of the words with --token-column"):
        documents(content)
    assert not documents(content, ConllOptions(token_column=2))[0].text[0].isdigit()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("F16 NNP B-X\nF17 NNP O\n", "F16 F17"),
        ("3.1 CD B-X\n3.2 CD O\n", "3.1 3.2"),
        ("24 24 CD O\n7 7 CD O\n30 30 CD B-X\n", "24 7 30"),
        ("ha2 UH O\nha2 UH B-X\n", "ha2 ha2"),
        ("1\tO\tO\n2\tO\tB-X\n", "1 2"),
        ("In in B-X\n1 1 O\n2 2 O\n", "In 1 2"),
    ],
)
def test_words_with_digits_stay_words(content: str, expected: str) -> None:
    assert texts(content) == [expected]


def test_two_columns_of_integers_that_fit_no_word_are_refused() -> None:
    content = "5\t9\tAna\tB-PER\n12\t33\tleft\tO\n"
    with pytest.raises(ConllError, match="--token-column"):
        documents(content)
    assert texts(content, ConllOptions(token_column=3)) == ["Ana left"]


def test_outer_entities_are_read_where_all_words_are_outside_of_them() -> None:
    assert entities("1\tAna\tO\tB-PER\n2\tran\tO\tO\n") == []
    assert entities("1\tAna\tO\tB-PER\n2\tran\tO\tO\n", ConllOptions(tag_column=4)) == [("Ana", "PER")]


@pytest.mark.parametrize(
    "tags",
    [
        "B.PER I.PER O B.ORG",
        "B(PER) I(PER) O B(ORG)",
        "PER(B) PER(I) O ORG(B)",
        "PER.B PER.I O ORG.B",
        "PER:B PER:I O ORG:B",
        "B-PER|O I-PER|B-LOC O|O B-ORG|O",
        "B-PER|O I-PER|B-LOC O B-ORG|O",
        "B-PER;O I-PER;B-LOC O;B-LOC B-ORG;O",
    ],
)
def test_tags_in_less_usual_forms_are_read(tags: str) -> None:
    words = ["Ana", "Lopez", "at", "UN"]
    content = "".join(f"{word} {tag}\n" for word, tag in zip(words, tags.split(), strict=True))
    assert entities(content) == [("Ana Lopez", "PER"), ("UN", "ORG")]


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("Ana B~PER\nLopez I~PER\nran O\n", "'B~PER' is a tag: write O or B-LABEL"),
        ("Ana BPER\nLopez IPER\nran O\n", "'BPER' is a tag: write O or B-LABEL"),
        ("Ana B-PER\nof I-PER|B-LOC\nran O\n", "different numbers of tags in column 2"),
        ("x\tO\n" * 8 + "Ana\tPERSON\n" + "x\tO\n" * 8, "If 'PERSON' is a type without a prefix, give --tag-column 2"),
        ("Ana\tPERSON\n" + "x\tO\n" * 4, "give --tag-column 2; if this row names the columns, delete it"),
        ("a b\nb i\nc o\n", "give the label with --label NAME"),
    ],
)
def test_tags_that_are_not_certain_are_refused(content: str, remedy: str) -> None:
    with pytest.raises(ConllError) as caught:
        documents(content)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("count", [4, 20])
def test_chosen_column_of_few_types_is_read(count: int) -> None:
    assert entities("Ana\tPERSON\n" + "x\tO\n" * count, ConllOptions(tag_column=2)) == [("Ana", "PERSON")]


@pytest.mark.parametrize("tags", ["B- I- O", "b i o", "b- i- o"])
def test_tags_without_a_label_take_the_one_that_is_given(tags: str) -> None:
    content = "".join(f"{word} {tag}\n" for word, tag in zip("xyz", tags.split(), strict=True))
    assert entities(content, ConllOptions(label="X")) == [("x y", "X")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "TOKEN\tNE-COARSE-LIT\tMISC\n# document_id = x\nAna\tB-pers\t_\nran\tO\t_\n# page = 2\nBo\tB-pers\t_\n",
            [("Ana", "pers"), ("Bo", "pers")],
        ),
        ("TOKEN\tEIGENNAME\n# id = x\nAna\tB-pers\nran\tO\n", [("Ana", "pers")]),
        (
            "TOKEN\tNE-COARSE-LIT\tNE-FINE-LIT\tMISC\nAna\tB-pers\tB-pers.ind\t_\nran\tO\tO\t_\n",
            [("Ana", "pers")],
        ),
        ("Ana\tNNP\tB-PER\n# a remark\nran\tVB\tO\n", [("Ana", "PER")]),
    ],
)  # fmt: skip
def test_names_of_columns_and_comments_between_rows_are_skipped(content: str, expected: list[tuple[str, str]]) -> None:
    assert entities(content) == expected
    assert entities(content, ConllOptions(tag_column=2 if "\tNNP" not in content else 3)) == expected


@pytest.mark.parametrize("kind", ["train", "TRAIN"])
def test_comments_with_as_many_columns_as_rows_are_no_entities_of_another_type(kind: str) -> None:
    content = f"#doc1 {kind}\nAna PERSON\nleft O\n\n#doc2 {kind}\nBo PERSON\nran O\n"
    assert entities(content) == [("Ana", "PERSON"), ("Bo", "PERSON")]


def test_word_with_a_hash_and_another_type_is_an_entity() -> None:
    assert entities("#joy FEELING\nis O\nBo PERSON\n") == [("#joy", "FEELING"), ("Bo", "PERSON")]


def test_label_with_spaces_of_label_studios_own_export_is_read() -> None:
    content = "-DOCSTART- -X- O\nAna -X- _ B-Job  Title\nLopez -X- _ I-Job  Title\nran -X- _ O\nBo -X- _ B-X\n\n"
    assert entities(content) == [("Ana Lopez", "Job  Title"), ("Bo", "X")]


def test_header_in_small_letters_begins_a_document() -> None:
    assert texts("-docstart- O\n\nAna B-PER\n\n-docstart- O\n\nBo B-PER\n") == ["Ana", "Bo"]
    assert texts("-docstart- B-X\nis O\n") == ["-docstart- is"]
