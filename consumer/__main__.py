"""The console script `ticketing`: its commands, and the one way in which they fail."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from consumer.cli.commands import LazyCommands, add_entries
from consumer.cli.wrong_values import sentence_of

FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130
OUR_PACKAGES = ("consumer.", "db.", "handlers.", "schemas.", "migrations.")


def ticketing() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(name="ticketing", cls=LazyCommands, pretty_exceptions_enable=False)
    app.callback(
        help="Turn ISP support requests on Kafka into tickets in PostgreSQL.",
        epilog="Example: ticketing run. Settings are TICKETING_* variables: see README.md.",
        no_args_is_help=True,
    )(_before_any_command)
    add_entries(app)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run a command; leave with 0 (done), 1 (failed) or 2 (wrong use), never with a traceback."""
    sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


def _exit_code(arguments: list[str]) -> int:
    try:
        code = ticketing()(arguments, prog_name="ticketing", standalone_mode=False)
    except TyperException as error:
        if error.__cause__ is not None:
            error.message = sentence_of(error.__cause__) or error.message
        return _fail(error.format_message(), error.exit_code)
    except (Abort, KeyboardInterrupt):
        return _fail("Stopped.", INTERRUPTED)
    except BrokenPipeError:  # `ticketing ... | head`: the reader has what it wants
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if arguments[:1] == ["--debug"]:
            raise
        return _fail(_sentence(error), getattr(error, "exit_code", FAILED))
    return code if isinstance(code, int) else 0


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - called by typer
    if is_asked:
        typer.echo(version("isp-ticketing"))
        raise typer.Exit


def _before_any_command(
    debug: Annotated[  # noqa: FBT002 - an option; `_exit_code` looks for it
        bool, typer.Option("--debug", help="Show where an error comes from.")
    ] = False,
    show_version: Annotated[  # noqa: FBT002 - an option; its callback acts
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Declare the options that every command has."""


def _sentence(error: BaseException) -> str:
    """Our own errors are sentences already; another's needs its name to say anything."""
    if isinstance(error, BaseExceptionGroup):
        return _sentence(error.exceptions[0])
    text = " ".join(str(error).split()) if not _is_ours(error) else str(error)
    if text and (_is_ours(error) or isinstance(error, OSError)):
        return text
    return f"{type(error).__name__}: {text or 'no message'} (ticketing --debug shows where)."


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__.startswith(OUR_PACKAGES)


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201 - the one place where a command's failure is told
    return code


if __name__ == "__main__":
    main()
