"""Who does something by a command: the name that an audit will show."""

import getpass
import os
import socket
from typing import Annotated, Final

import typer

from consumer.cli.failures import WRONG_USE, CommandFailed

LONGEST: Final = 255

By = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who does it, for the record (default: user@host)."),
]


def operator(by: str | None) -> str:
    """The name given, or the operating system's user and host. Raises CommandFailed."""
    if by is None:
        return f"{_user()}@{socket.gethostname()}"
    name = by.strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise CommandFailed(
            f"--by {by!r} is no name; give 1 to {LONGEST} printable characters.", WRONG_USE
        )
    return name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid{os.getuid()}"
