from __future__ import annotations

import pytest

from backend.web.dashboard.formatting import code


@pytest.mark.parametrize(
    ("sentence", "html"),
    [
        ("start it with `python -m backend work`.", "start it with <code>python -m backend work</code>."),
        ('`<b>` & `a "b"`', "<code>&lt;b&gt;</code> &amp; <code>a &#34;b&#34;</code>"),
        ("<script>`", "&lt;script&gt;`"),
        ("a ` b", "a ` b"),
        ("``", "``"),
        ("", ""),
    ],
)
def test_what_stands_between_backticks_is_code_and_all_is_escaped(sentence: str, html: str) -> None:
    assert code(sentence) == html
