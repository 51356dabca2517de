"""Ready-made labelling configurations: the XML files in this folder."""

from __future__ import annotations

from importlib import resources


def template(name: str) -> str:
    """The XML of a ready-made configuration, for example ``template("restaurant")``.

    Raises ``ValueError`` for an unknown name.
    """
    files = {
        file.name.removesuffix(".xml"): file
        for file in resources.files("label_config").iterdir()
        if file.name.endswith(".xml")
    }
    if name not in files:
        raise ValueError(f"There is no template {name!r}: choose one of {', '.join(sorted(files))}.")
    return files[name].read_text(encoding="utf-8")
