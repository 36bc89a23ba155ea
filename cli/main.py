"""The command ``posetween``. Exit status: 0 done, 2 wrong usage or input, 1 failed."""

from __future__ import annotations

import typer

from cli import db
from cli.demo import demo
from cli.propagate import propagate
from cli.sample import sample
from cli.serve import serve, up
from cli.worker import worker

app = typer.Typer(
    name="posetween",
    help="Label a few frames of a video; Posetween fills in the poses between them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(db.app, name="db")
for command in (up, serve, worker, propagate, sample, demo):
    app.command()(command)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
