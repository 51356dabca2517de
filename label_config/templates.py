"""Ready labelling configurations, the XML files beside this module."""

from __future__ import annotations

from importlib import resources


def template(name: str) -> str:
    """Give the XML of a ready configuration: ``template("restaurant")``.

    Raises ``ValueError`` for a name there is none of.
    """
    files = {
        file.name.removesuffix(".xml"): file
        for file in resources.files("label_config").iterdir()
        if file.name.endswith(".xml")
    }
    if name not in files:
        raise ValueError(f"There is no template {name!r}: choose one of {', '.join(sorted(files))}.")
    return files[name].read_text(encoding="utf-8")
