"""The command ``posetween``. Exit status: 0 done, 2 wrong usage or input, 1 failed."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

from models.compute.devices import wait_passively

#: Where each command is: loaded when it is called, so that a server does not carry what only the demo needs.
COMMANDS = {
    "up": "cli.serve:up",
    "serve": "cli.serve:serve",
    "worker": "cli.worker:worker",
    "propagate": "cli.propagate:propagate",
    "train": "cli.train:train",
    "evaluate": "cli.evaluate:evaluate",
    "estimate": "cli.estimate:estimate",
    "pretrain": "cli.pretrain:pretrain",
    "sample": "cli.sample:sample",
    "convert": "cli.convert:convert",
    "import": "cli.importing.command:import_",
    "projects": "cli.projects:app",
    "videos": "cli.videos:app",
    "labels": "cli.labels:app",
    "jobs": "cli.jobs:app",
    "export": "cli.export:export",
    "demo": "cli.demo:demo",
    "labs": "cli.labs:app",
    "keys": "cli.keys:app",
    "db": "cli.db:app",
    "storage": "cli.storage:app",
    "doctor": "cli.doctor:doctor",
}


class _Commands(TyperGroup):
    def list_commands(self, ctx):  # type: ignore[no-untyped-def]  # click's context is a private copy inside typer
        """Every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx, name):  # type: ignore[no-untyped-def]
        """Load a command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        target = getattr(import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(name)(target)
            target = alone
        command = get_command(target)
        command.name = name
        return command


app = typer.Typer(
    name="posetween",
    cls=_Commands,
    help="Label a few frames of a video; Posetween fills in the poses between them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _posetween() -> None:
    """Label a few frames of a video; Posetween fills in the poses between them."""


def main() -> None:
    """Run the command."""
    wait_passively()  # read when PyTorch is loaded, which is later
    app()


if __name__ == "__main__":
    main()
