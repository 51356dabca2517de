"""The command line: ``python -m backend``."""

from __future__ import annotations

import click

from backend.commands.bulk_preannotate import preannotate
from backend.commands.checking import check
from backend.commands.common import CommandGroup
from backend.commands.connecting import connect
from backend.commands.create_project import create_project
from backend.commands.demo import demo
from backend.commands.evaluate_files import evaluate
from backend.commands.export_labels import export
from backend.commands.fit import fit
from backend.commands.importing import import_model
from backend.commands.label_names import labels
from backend.commands.list_label_issues import label_issues
from backend.commands.model_versions import pin, promote, unpin, versions
from backend.commands.serve import serve, work
from backend.commands.status import status
from backend.commands.tag_texts import tag
from backend.commands.training import cancel, log, runs, train
from backend.settings import configure_logging, load_settings


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A Label Studio ML backend that learns named entities from every label.

    The service has two processes: `serve` answers Label Studio, `work` trains models and sends their predictions to
    Label Studio. `connect` adds the service to a project. Environment variables (LABEL_STUDIO_URL,
    LABEL_STUDIO_API_KEY, …) or a .env file configure everything: see the README.

    `python -m backend demo` shows the whole loop on this machine, with a Label Studio of its own.
    """
    ctx.obj = settings = load_settings()
    # Commands that end report on their own; the log is for the two processes that keep running.
    logs = "log_level" in settings.model_fields_set or ctx.invoked_subcommand in ("serve", "work")
    configure_logging(settings.log_level if logs else "WARNING")


_COMMANDS: tuple[click.Command, ...] = (
    serve, work, connect, check,
    status, runs, log, versions, labels, label_issues,
    train, cancel, promote, pin, unpin, import_model,
    preannotate, export,
    create_project, fit, evaluate, tag,
    demo,
)  # fmt: skip

for _command in _COMMANDS:
    cli.add_command(_command)


if __name__ == "__main__":
    cli(prog_name="python -m backend")
