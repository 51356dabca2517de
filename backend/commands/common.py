"""What the commands share: options, how a project is named, how the loop is opened, how errors are shown.

Nothing here imports a model library, Label Studio's library or SQLAlchemy before a command needs it: ``--help`` answers
at once, and ``serve`` must not inherit ONNX Runtime through its fork.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from backend.errors import BackendError
from backend.settings import Settings
from label_config import UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.label_studio.api import LabelStudioAPI
    from backend.loop import Loop
    from backend.store.models import Project


_EARLIER_NAMES = {"suspects": "label-issues"}
"""Earlier names of commands; scripts may still use them."""


class CommandGroup(click.Group):
    """Lists its commands in the order they were added, and shows an expected error as one sentence, exit code 1."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _EARLIER_NAMES.get(cmd_name, cmd_name))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands, each with the first sentence of its help, which click would cut at the line's end."""
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(command.help or "")) for name, command in commands])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = error_sentence(error)
            if sentence is None:
                raise
            raise click.ClickException(sentence) from None


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", paragraph)[0]


def error_sentence(error: Exception) -> str | None:
    """The sentence that explains an expected error to the user; ``None`` for an error of this program."""
    if isinstance(error, BackendError | UnsupportedLabelConfig):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if type(error).__module__.startswith("sqlalchemy."):
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        return f"The database does not answer ({reason}): check DATABASE_URL."
    return None


_PROJECT_HELP = "Number of the project in Label Studio (it is in the project's address)."

project_option = click.option("--project", required=True, metavar="ID", help=_PROJECT_HELP)

any_project_option = click.option("--project", metavar="ID", help=f"{_PROJECT_HELP}  [default: all projects]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with one object per row.")


def open_loop(settings: Settings) -> Loop:
    """The loop of this command, which closes its connections when it ends."""
    from backend.service import open_service

    service = open_service(settings)
    click.get_current_context().call_on_close(service.close)
    return service.loop


def open_label_studio(settings: Settings, project: Project | None = None) -> LabelStudioAPI:
    from backend.label_studio.client import open_label_studio

    return open_label_studio(settings, project)


def project_number(project: str) -> int:
    """The project's number in Label Studio, from ``--project 7`` or from the whole uid, ``--project 7.1795221978``."""
    if not project.partition(".")[0].isdecimal():
        raise click.BadParameter(f"{project!r} is not a project number.", param_hint="--project")
    return int(project.partition(".")[0])


def project_uid(settings: Settings, loop: Loop, project: str) -> str:
    """The project's uid; a project that is not registered yet is looked up in Label Studio and registered."""
    number = project_number(project)
    if uid := loop.find_uid(project):
        return uid
    remote = open_label_studio(settings).project(number)
    return loop.register_project(remote.uid, title=remote.title, label_config=remote.label_config).uid


def project_uids(settings: Settings, loop: Loop, project: str | None) -> list[str]:
    """The uid of the named project, or the uids of all projects."""
    if project is not None:
        return [project_uid(settings, loop, project)]
    return [row.uid for row in loop.store.projects.all()]
