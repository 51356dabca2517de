"""Texts as Label Studio's editor shows them: ``(value of the <Text>, data of the task, text)``."""

from __future__ import annotations

from typing import Any

SHOWN_TEXTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "text": ("$text", {"text": "🍣 sushi"}, "🍣 sushi"),
    "integer": ("$text", {"text": 4821077}, "4821077"),
    "fraction": ("$text", {"text": 0.5}, "0.5"),
    "truth value": ("$text", {"text": False}, "false"),
    "list": ("$text", {"text": ["Ana came", "Bo left", 7]}, "Ana came,Bo left,7"),
    "template": ("Subject: $subject, $body", {"subject": "🍣", "body": "some sushi"}, "Subject: 🍣, some sushi"),
    "template with a gap": ("$subject: $body", {"body": "sushi"}, "undefined: sushi"),
    "nested": ("$doc.body", {"doc": {"body": "some sushi"}}, "some sushi"),
    "place in a list": ("$pages[1].text", {"pages": [{"text": "no"}, {"text": "sushi"}]}, "sushi"),
}
