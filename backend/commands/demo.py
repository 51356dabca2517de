"""``demo``: the demonstration."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--once", is_flag=True, help="Run without a person: label as an annotator would, check the loop, report, exit."
)
@click.option("--port", default=9090, show_default=True, help="Port of the ML backend.")
@click.option("--label-studio-port", default=8080, show_default=True, help="Port of Label Studio.")
@click.option(
    "--label-studio",
    type=click.Path(path_type=Path),
    default=Path(".venv-label-studio/bin/label-studio"),
    show_default=True,
    help="Path of the label-studio program.",
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path(".demo"), show_default=True, help="Folder for its data."
)
def demo(once: bool, port: int, label_studio_port: int, label_studio: Path, folder: Path) -> None:
    """Show the whole loop on this machine: Label Studio, this service, and a project with restaurant queries."""
    from backend.demo.show import run_demo

    raise SystemExit(
        run_demo(
            once=once, port=port, label_studio_port=label_studio_port, program=label_studio, folder=folder.resolve()
        )
    )
