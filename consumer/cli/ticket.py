"""`ticketing ticket`: one ticket with all that happened to it, or the newest that fit."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import typer

from consumer.cli.clock_bars import print_clocks
from consumer.cli.failures import WRONG_USE, CommandFailed, reading
from consumer.cli.output import Json, Limit, Tenant, print_json, say
from consumer.cli.ticket_page import print_messages, print_ticket, print_tickets
from consumer.cli.timeline import print_timeline
from consumer.settings import load_settings
from consumer.standing import clocks_of
from db import request_reading as requests
from db import ticket_reading as tickets
from handlers.identity import request_key
from schemas.fields import LARGEST_EXTERNAL_ID
from schemas.vocabulary import Kind, TicketStatus

ABOUT: Final = "Look at tickets."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets to list. customer: our UUID, or an external number."""

    tenant: str | None
    statuses: tuple[TicketStatus, ...]
    team: str | None
    customer: str | None
    request_id: str | None
    limit: int

    def includes(self, ticket: dict[str, Any]) -> bool:
        return ticket["status"] in self.statuses and self.team in (None, ticket["assigned_team"])


def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Such as TCK-0123456789AB.")],
    *,
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Show a ticket with its clocks, messages and timeline."""
    found = asyncio.run(_show(number.strip().upper(), tenant))
    if as_json:
        print_json(found)
        return
    print_ticket(found["ticket"], found["at"])
    print_clocks(found["clocks"], found["at"])
    print_messages(found["messages"], found["at"])
    print_timeline(found["timeline"], found["at"])


def list_tickets(
    *,
    customer: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Of this customer: our UUID or its external number."),
    ] = None,
    status: Annotated[
        list[TicketStatus] | None, typer.Option(help="In this status; give it once for each.")
    ] = None,
    team: Annotated[str | None, typer.Option(metavar="TEAM", help="Assigned to this team.")] = None,
    request_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Opened by this request.")
    ] = None,
    tenant: Tenant = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List the newest tickets that fit everything named."""
    statuses = tuple(status) if status else tuple(TicketStatus)
    wanted = Wanted(tenant, statuses, team, customer, request_id, limit)
    now, found = asyncio.run(_list(wanted))
    if as_json:
        print_json(found)
    elif found:
        print_tickets(found, now)
    else:
        say("No ticket fits.")


COMMANDS: Final = (
    (show, "show", "Example: ticketing ticket show TCK-0123456789AB --tenant acme"),
    (list_tickets, "list", "Example: ticketing ticket list --status open --team noc --limit 50"),
)


async def _show(number: str, tenant: str | None) -> dict[str, Any]:
    async with reading(load_settings()) as connection:
        found = await tickets.by_number(connection, number, tenant)
        if not found:
            where = f" in tenant {tenant}" if tenant else ""
            raise CommandFailed(f"There is no ticket {number}{where}.")
        if len(found) > 1:
            names = ", ".join(ticket["tenant_id"] for ticket in found)
            raise CommandFailed(
                f"{number} exists in several tenants ({names}): name one with --tenant.", WRONG_USE
            )
        ticket = found[0]
        key = ticket["tenant_id"], ticket["ticket_id"]
        now = await connection.fetchval("SELECT now()")
        return {
            "at": now,
            "ticket": ticket,
            "clocks": await clocks_of(connection, *key, now),
            "messages": await tickets.messages(connection, *key),
            "timeline": await tickets.timeline(connection, *key),
        }


async def _list(wanted: Wanted) -> tuple[datetime, list[dict[str, Any]]]:
    async with reading(load_settings()) as connection:
        now = await connection.fetchval("SELECT now()")
        customers = None
        if wanted.customer is not None:
            customers = await _customer_ids(connection, wanted.customer, wanted.tenant)
        if wanted.request_id is not None:
            found = await _of_request(connection, wanted.request_id, wanted.tenant)
        else:
            found = await _newest(connection, wanted, customers)
    fitting = [
        ticket
        for ticket in found
        if wanted.includes(ticket) and (customers is None or ticket["customer_id"] in customers)
    ]
    fitting.sort(key=lambda ticket: ticket["created_at"], reverse=True)
    return now, fitting[: wanted.limit]


async def _of_request(
    connection: asyncpg.Connection, request_id: str, tenant: str | None
) -> list[dict[str, Any]]:
    """By its identity, in every tenant that could have one."""
    names = [tenant] if tenant else await requests.tenants(connection)
    keys = [(name, request_key(Kind.REQUEST, "request_id", name, request_id)) for name in names]
    decided = await requests.by_keys(connection, keys)
    return await tickets.by_ids(
        connection, [(each.tenant_id, each.ticket_id) for each in decided if each.ticket_id]
    )


async def _newest(
    connection: asyncpg.Connection, wanted: Wanted, customers: list[str] | None
) -> list[dict[str, Any]]:
    found = []
    for customer in [None] if customers is None else customers:
        found += await tickets.newest(
            connection,
            tenant_id=wanted.tenant,
            statuses=wanted.statuses,
            team=wanted.team,
            customer_id=customer,
            limit=wanted.limit,
        )
    return found


async def _customer_ids(
    connection: asyncpg.Connection, customer: str, tenant: str | None
) -> list[str]:
    if customer.isdecimal():
        if int(customer) > LARGEST_EXTERNAL_ID:
            return []
        return await tickets.customer_ids(connection, int(customer), tenant)
    try:
        return [str(UUID(customer))]
    except ValueError:
        raise CommandFailed(
            f"--customer is {customer!r}; give a UUID or an external number.", WRONG_USE
        ) from None
