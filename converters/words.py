"""A text's words, by the Unicode rules for word boundaries.

The same words are labelled in training, tagged when serving and written when exporting, so that offsets never
have to be guessed back from word pieces.
"""

from __future__ import annotations

from collections.abc import Iterator

import regex  # type: ignore[import-untyped]

from converters.document import Word

# From the first visible character to the next boundary. `\s` lacks U+001C to U+001F, which `str.isspace`
# counts: both must agree, since span edges are trimmed with `str.strip`.
_WORD = regex.compile(r"(?V1ws)[^\s\x1c-\x1f].*?(?:\b|\Z)")

# Every boundary test inside a run of flag letters counts back to the start of the run, which is
# quadratic. An even number of letters into a run there is a boundary anyway (WB15, WB16), so long runs
# are cut there first.
_FLAGS = regex.compile(r"(?:[\U0001F1E6-\U0001F1FF]{2}){32}(?=[\U0001F1E6-\U0001F1FF])")


def words(text: str) -> list[Word]:
    """Split ``text`` at the word boundaries of Unicode Standard Annex #29.

    Whitespace is no word and is trimmed from the edges of one; every other character belongs to exactly
    one word. Offsets are code points and ``text[word.start : word.end] == word.text``. Takes time linear
    in the text, accepts any string, lone surrogates included. A word may still consist of invisible
    characters (U+200B, a control character), and may hold a narrow no-break space inside (U+202F joins
    digits).

    Source: https://www.unicode.org/reports/tr29/#Word_Boundaries, as the ``regex`` module implements it.
    """
    found: list[Word] = []
    for offset, piece in _pieces(text):
        for match in _WORD.finditer(piece):
            word: str = match.group().rstrip()
            start: int = offset + match.start()
            found.append(Word(word, start, start + len(word)))
    return found


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Cut ``text`` where a boundary is certain: almost always one piece, the text itself."""
    start = 0
    for match in _FLAGS.finditer(text):
        yield start, text[start : match.end()]
        start = match.end()
    yield start, text[start:]
