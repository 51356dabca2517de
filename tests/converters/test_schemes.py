from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import Scheme, detect_scheme, is_legal, repair, tag_set, to_bio
from converters.schemes import is_tag

# Two touching entities X, one of three words, one Y: the same in every scheme.
BIO = "O B-X B-X I-X O B-Y I-Y I-Y"
SAME = {
    Scheme.IOB1: "O I-X B-X I-X O I-Y I-Y I-Y",
    Scheme.IOB2: BIO,
    Scheme.IOBES: "O S-X B-X E-X O B-Y I-Y E-Y",
    Scheme.BILOU: "O U-X B-X L-X O B-Y I-Y L-Y",
}


@pytest.mark.parametrize(("scheme", "tags"), SAME.items())
def test_each_scheme_is_told_and_read_as_bio(scheme: Scheme, tags: str) -> None:
    assert detect_scheme([tags.split()]) == scheme
    assert to_bio(tags.split()) == (tuple(BIO.split()), scheme, 0)


@pytest.mark.parametrize(
    ("tags", "scheme", "read", "repaired"),
    [
        ("", None, "", 0),
        ("O O", None, "O O", 0),
        ("I-X", Scheme.IOB2, "B-X", 1),
        ("O I-X I-X I-Y", Scheme.IOB2, "O B-X I-X B-Y", 2),
        ("O I-X I-X I-Y", None, "O B-X I-X B-Y", 0),
        ("O B-X", Scheme.IOB1, "O B-X", 1),
        ("I-X B-Y", Scheme.IOB1, "B-X B-Y", 1),
        ("B-X O", Scheme.IOBES, "B-X O", 1),
        ("B-X I-X", Scheme.IOBES, "B-X I-X", 1),
        ("E-X E-X", Scheme.IOBES, "B-X B-X", 2),
        ("B-X E-X I-X E-X", Scheme.IOBES, "B-X I-X B-X I-X", 1),
        ("S-X I-X E-X", Scheme.IOBES, "B-X B-X I-X", 1),
        ("B-X E-Y", Scheme.IOBES, "B-X B-Y", 1),
        ("U-X O B-X L-X", Scheme.IOBES, "B-X O B-X I-X", 2),
        ("B-A-B I-A-B I-", Scheme.IOB2, "B-A-B I-A-B B-", 1),
    ],
)
def test_illegal_tags_are_read_as_conlleval_reads_them(
    tags: str, scheme: Scheme | None, read: str, repaired: int
) -> None:
    result = to_bio(tags.split(), scheme)
    assert (" ".join(result.tags), result.repaired) == (read, repaired)


def test_one_flaw_does_not_change_the_scheme_of_a_file() -> None:
    assert detect_scheme([["B-X", "I-X"], ["O", "B-X"], ["O", "I-X"]]) == Scheme.IOB2
    assert detect_scheme([["I-X", "I-X"], ["O", "I-X"], ["O", "B-X"]]) == Scheme.IOB1
    assert detect_scheme([["B-X", "E-X"], ["S-X"], ["I-X"]]) == Scheme.IOBES
    assert detect_scheme([]) == Scheme.IOB2


@pytest.mark.parametrize("tag", ["", "X", "B", "-X", "b-X", "OX", "M-X", "BX"])
def test_what_is_no_tag_is_refused_by_name(tag: str) -> None:
    assert not is_tag(tag)
    with pytest.raises(ValueError, match="is not a tag: write O"):
        to_bio(["O", tag])


@given(st.lists(st.sampled_from(tag_set(["X", "Y"]))))
@settings(deadline=None, max_examples=200)
def test_in_iob2_the_rule_is_that_of_repair(tags: list[str]) -> None:
    repaired, count = repair(tags)
    assert to_bio(tags, Scheme.IOB2) == (tuple(repaired), Scheme.IOB2, count)


@given(st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BIESLU" for label in "XY")])))
@settings(deadline=None, max_examples=200)
def test_any_tags_become_legal_bio(tags: list[str]) -> None:
    result = to_bio(tags)
    assert is_legal(result.tags)
    assert [tag == "O" for tag in tags] == [tag == "O" for tag in result.tags]
