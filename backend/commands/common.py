"""What the commands share: options, the project a number means, the loop, and how failures are said.

Nothing here loads a model library, Label Studio's library or SQLAlchemy before a command needs it: ``--help`` answers
at once, and ``serve`` must not inherit ONNX Runtime through its fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backend.errors import BackendError
from backend.settings import Settings
from label_config import UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.label_studio.client import LabelStudio
    from backend.loop import Loop
    from backend.store.models import Project


_EARLIER_NAMES = {"suspects": "label-issues"}
"""Commands that were renamed; scripts may still call them by the earlier name."""


class CommandGroup(click.Group):
    """Lists its commands in the order they were added, and shows a foreseen failure as one sentence, exit code 1."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _EARLIER_NAMES.get(cmd_name, cmd_name))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BackendError, UnsupportedLabelConfig) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}") from None
        except Exception as error:
            if not type(error).__module__.startswith("sqlalchemy."):
                raise
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise click.ClickException(f"The database does not answer ({reason}): check DATABASE_URL.") from None


_PROJECT_HELP = "Number of the project in Label Studio (it is in its address)."

project_option = click.option("--project", required=True, metavar="ID", help=_PROJECT_HELP)

any_project_option = click.option("--project", metavar="ID", help=f"{_PROJECT_HELP}  [default: all projects]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with one object a row.")


def open_loop(settings: Settings) -> Loop:
    from backend.service import open_service

    return open_service(settings).loop


def open_label_studio(settings: Settings, project: Project | None = None) -> LabelStudio:
    from backend.label_studio.client import open_label_studio

    return open_label_studio(settings, project)


def number_of(project: str) -> int:
    """The number that was given as ``--project``, by itself or as the beginning of a key."""
    if not project.partition(".")[0].isdecimal():
        raise click.BadParameter(f"{project!r} is not a project number.", param_hint="--project")
    return int(project.partition(".")[0])


def uid_of(settings: Settings, loop: Loop, project: str) -> str:
    """The project's key here; a project this service has not met yet is looked up in Label Studio."""
    number = number_of(project)
    known = [each.uid for each in loop.store.projects.all() if each.id == number and project in (each.uid, str(number))]
    if known:
        return max(known, key=lambda uid: int(uid.partition(".")[2] or 0))
    remote = open_label_studio(settings).project(number)
    return loop.register_project(remote.uid, title=remote.title, label_config=remote.label_config).uid


def uids_of(settings: Settings, loop: Loop, project: str | None) -> list[str]:
    """The key of the project that was named, or those of all projects."""
    if project is not None:
        return [uid_of(settings, loop, project)]
    return [each.uid for each in loop.store.projects.all()]
