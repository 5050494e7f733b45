"""Every command of `ticketing`, in one table that is read without importing any of them.

A command's module is imported when it is called: `ticketing --help` and a completed word cost what
typer costs. A single command's module has a function of its name and EXAMPLE; a group's has ABOUT
and COMMANDS: (function, name, example) for each of its commands.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Entry:
    """One word after `ticketing`; about: the line that --help shows."""

    name: str
    about: str
    is_group: bool = False

    @property
    def module(self) -> str:
        return f"consumer.cli.{self.name}"


ENTRIES: Final = (
    Entry("migrate", "Bring the database's schema to this program's version."),
    Entry("topics", "Create the topics that are missing."),
    Entry("run", "Consume requests, publish facts and keep time until stopped."),
    Entry("request", "Send requests, judge them, and see what became of them.", is_group=True),
    Entry("ticket", "Look at tickets.", is_group=True),
    Entry(
        "dlq",
        "Look at dead letters, the records that could not be handled, and redrive them.",
        is_group=True,
    ),
    Entry("replay", "Hand records that came in to the handlers again."),
    Entry("republish", "Send past facts to subscribers again, and held ones at last."),
    Entry("customers", "Take customers from a file, or again from their topics.", is_group=True),
    Entry(
        "policy",
        "Keep tenants' teams, settings, routing rules, calendars and SLA policies.",
        is_group=True,
    ),
    Entry("sla", "Reckon with business time, and see what breaches next.", is_group=True),
    Entry(
        "contract",
        "Write the contract as AsyncAPI, JSON Schema or a page, and guard it.",
        is_group=True,
    ),
    Entry("status", "Show lag, what waits, who has the lease and what is due."),
    Entry("pause", "Have the records of a topic wait, until somebody resumes it."),
    Entry("resume", "Have the records of a paused topic go on."),
    Entry("verify", "Check that nothing was lost, from topics and tables alone."),
    Entry("doctor", "Check everything that the service stands on."),
)


class LazyCommands(TyperGroup):
    """A group whose commands are only names and lines of help until one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types
        for entry in ENTRIES:
            if args and args[0] == entry.name:
                self.commands[entry.name] = get_command(loaded(entry))
        return super().resolve_command(ctx, args)


def loaded(entry: Entry) -> typer.Typer:
    """Import the module of a command and make what typer needs of it."""
    module = import_module(entry.module)
    app = typer.Typer(name=entry.name, add_completion=False)
    if not entry.is_group:
        app.command(entry.name, epilog=module.EXAMPLE)(getattr(module, entry.name))
        return app
    app.callback(help=module.ABOUT, epilog=module.COMMANDS[0][2], no_args_is_help=True)(_nothing)
    for function, name, example in module.COMMANDS:
        app.command(name, epilog=example)(function)
    return app


def add_entries(app: typer.Typer) -> None:
    """Name every command to `app`, whose class must be LazyCommands."""
    for entry in ENTRIES:
        app.command(entry.name, help=entry.about)(_nothing)


def _nothing() -> None:
    """Stand in for what is loaded when it is called."""
