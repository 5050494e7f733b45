"""`ticketing customers`: who the customers are, from a file or once more from their topics."""

import asyncio
from enum import StrEnum
from typing import Annotated, Final

import typer

from consumer.cli.asking import DryRun, Yes, confirm
from consumer.cli.failures import (
    FAILED,
    WRONG_USE,
    CommandFailed,
    database_explained,
    database_place,
)
from consumer.cli.output import Json, print_json, say
from consumer.cli.request_lines import STDIN, read_bytes
from consumer.settings import load_settings
from consumer.wording import counted

ABOUT: Final = "Take customers from a file, or again from their topics."
MOST_SHOWN: Final = 20


class Format(StrEnum):
    """How a file of customers is written."""

    CSV = "csv"
    JSONL = "jsonl"


def import_customers(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help="CSV with a heading, or JSON lines: customer_id, tenant_id, external_id, name,"
            " status, tier, updated_at.",
        ),
    ],
    *,
    format_: Annotated[
        Format | None, typer.Option("--format", help="(default: by the name or the content)")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take in customers by the rules of customer.changed: who is newer on record stays."""
    settings = load_settings()
    content = read_bytes(file)

    from consumer.customer_import import COLUMNS, import_all, read_customers

    is_csv = _is_csv(file, content) if format_ is None else format_ is Format.CSV
    customers = read_customers(content, is_csv=is_csv)
    if customers.invalid:
        for line, problem in customers.invalid[:MOST_SHOWN]:
            typer.echo(f"line {line}: {problem}", err=True)
        invalid = len(customers.invalid)
        raise CommandFailed(
            f"Nothing was imported: {invalid} of"
            f" {counted(invalid + len(customers.valid), 'customer')}"
            f" {'is' if invalid == 1 else 'are'} invalid."
        )
    if not customers.valid:
        raise CommandFailed(
            f"Nothing was imported: {file} holds no customer; give CSV with a heading"
            f" ({', '.join(COLUMNS)}), or JSON lines."
        )
    touched = (
        ("database", database_place(settings)),
        ("file", "stdin" if file == STDIN else file),
        ("customers", len(customers.valid)),
    )
    confirm(touched, "Import them?", yes=yes or dry_run)
    with database_explained(settings):
        done = asyncio.run(import_all(settings, customers.valid, dry_run=dry_run))
    if as_json:
        print_json({"dry_run": dry_run, **done.as_json()})
    else:
        say(
            f"{'Would import' if dry_run else 'Imported'}"
            f" {counted(len(customers.valid), 'customer')}:"
            f" {done.changed} changed, {done.unchanged} unchanged, {len(done.refused)} refused."
        )
        for line, problem in done.refused[:MOST_SHOWN]:
            typer.echo(f"line {line}: {problem}", err=True)
    if done.refused:
        raise typer.Exit(FAILED)


def rebuild(
    *,
    customers_only: Annotated[
        bool, typer.Option("--customers-only", help="Leave partners alone.")
    ] = False,
    partners_only: Annotated[
        bool, typer.Option("--partners-only", help="Leave customers alone.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Compare customers and partners with what their topics say, and put right what differs.

    With --dry-run the exit code is 1 where something differs. Nothing is ever deleted.
    """
    if customers_only and partners_only:
        raise CommandFailed(
            "Give one of --customers-only and --partners-only, or neither for both.", WRONG_USE
        )
    settings = load_settings()
    from consumer.cli.rebuilding import rebuild_parties

    kinds = [
        kind
        for kind, is_left_out in (("customer", partners_only), ("partner", customers_only))
        if not is_left_out
    ]
    rebuild_parties(settings, kinds, yes=yes, dry_run=dry_run, as_json=as_json)


COMMANDS: Final = (
    (import_customers, "import", "Example: ticketing customers import customers.csv --dry-run"),
    (rebuild, "rebuild", "Example: ticketing customers rebuild --dry-run"),
)


def _is_csv(file: str, content: bytes) -> bool:
    if file.endswith(".csv"):
        return True
    return not content.lstrip().startswith((b"{", b"["))
