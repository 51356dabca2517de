"""The command line: ``python -m backend``."""

from __future__ import annotations

import click

from backend.commands.common import CommandGroup
from backend.commands.demo import demo
from backend.commands.export import export
from backend.commands.label_issues import label_issues
from backend.commands.preannotate import preannotate
from backend.commands.service import connect, serve, work
from backend.commands.status import status
from backend.commands.training import cancel, log, runs, train
from backend.commands.versions import pin, promote, unpin, versions
from backend.logs import configure_logging
from backend.settings import load_settings


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A Label Studio ML backend that learns named entities from every label.

    Two processes make the service: `serve` answers Label Studio, `work` trains models and brings their predictions
    to Label Studio. `connect` introduces them to a project. Everything is configured by environment variables
    (LABEL_STUDIO_URL, LABEL_STUDIO_API_KEY, …) or a .env file: see the README.

    To see it all at work on this machine, with a Label Studio of its own: `python -m backend demo`.
    """
    ctx.obj = settings = load_settings()
    # A command that ends says in its own words what it did; the service's log is for what runs on.
    asked = "log_level" in settings.model_fields_set or ctx.invoked_subcommand in ("serve", "work")
    configure_logging(settings.log_level if asked else "WARNING")


_COMMANDS: tuple[click.Command, ...] = (
    serve, work, connect,
    status, runs, log, versions, label_issues,
    train, cancel, promote, pin, unpin,
    preannotate, export,
    demo,
)  # fmt: skip

for _command in _COMMANDS:
    cli.add_command(_command)


if __name__ == "__main__":
    cli(prog_name="python -m backend")
