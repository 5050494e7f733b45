"""The library face: Temporal, Prefect and plain Python open tickets as the consumer does."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4
from zlib import crc32

import asyncpg
import orjson
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import Remedy, remedy
from db.requests import first_fact
from handlers.identity import request_key, ticket_id
from handlers.knowledge import gather
from handlers.outcomes import Created, Duplicate, Known, Parked, Rejected, Request, Rules
from handlers.requests import decide
from handlers.rows import rows_of
from handlers.write import NO_COPY, write
from schemas.envelope import PLAIN
from schemas.problems import Problem, unstorable_text, worst_problem
from schemas.ticket_requested import TicketCalled
from schemas.vocabulary import Kind, Outcome, RejectionCode

SYSTEM_ACTOR: Final = {"type": "system", "id": "system@workflow"}

FIELD_OF_REFUSAL: Final = {
    RejectionCode.ROUTE_NOT_ALLOWED: "target_type",
    RejectionCode.PARTNER_REQUIRED: "partner_id",
    RejectionCode.PARTNER_NOT_FOUND: "partner_id",
    RejectionCode.PARTNER_INACTIVE: "partner_id",
    RejectionCode.PARTNER_OTHER_TENANT: "partner_id",
}

MOST_ATTEMPTS: Final = 3
"""The second look finds whoever was first, except in a session that sees one old snapshot."""


class WaitsForCustomer(Exception):
    """The request {request_id} came from Kafka too and waits there for its customer."""

    def __init__(self, request_id: str | None) -> None:
        super().__init__(
            f"the request {request_id} came from Kafka too and waits there for its customer to be"
            " announced; try again later"
        )


class TicketingService:
    """Opens tickets inside the caller's own transaction."""

    def __init__(self, db: AsyncSession) -> None:
        """db: a session on PostgreSQL through asyncpg; committing it stays the caller's affair."""
        self._session = db

    async def create_ticket(  # noqa: PLR0917  the signature is part of the contract
        self,
        title: str,
        description: str,
        customer_id: int | str | UUID,
        priority: str = "normal",
        assigned_team: str | None = None,
        tenant_id: str | None = None,
        ticket_type: str | None = None,
        service_address: str | None = None,
        *,
        request_id: str | None = None,
        affected_services: Sequence[str] = (),
        device_serial_numbers: Sequence[str] = (),
        attachments: Sequence[Mapping[str, Any]] = (),
        context: Mapping[str, Any] | None = None,
        origin_type: str = "customer",
        target_type: str = "tenant",
        partner_id: str | None = None,
        actor: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Open a ticket and return what `ticket.created` will say of it (DESIGN 1.5).

        Works in a SAVEPOINT and never commits: the ticket and its facts stand when the caller
        commits. With a request_id, a retry returns the first result as it was; without one each
        call is a new ticket. customer_id: our id (a UUID), or the customer's external id.

        Raises ValueError for an argument that is not accepted or a customer that is not known,
        RuntimeError (its cause chained) for everything else; the session stays usable.
        """
        if not tenant_id:
            message = "Tenant context is required to create a ticket."
            raise ValueError(message)
        request = _request(
            {
                "title": title,
                "description": description,
                "customer_id": _text_of(customer_id),
                "priority": priority,
                "assigned_team": assigned_team,
                "tenant_id": tenant_id,
                "ticket_type": ticket_type,
                "service_address": service_address,
                "request_id": request_id,
                "affected_services": affected_services,
                "device_serial_numbers": device_serial_numbers,
                "attachments": attachments,
                "context": context,
                "origin_type": origin_type,
                "target_type": target_type,
                "partner_id": _text_of(partner_id),
                "actor": SYSTEM_ACTOR if actor is None else actor,
            }
        )
        try:
            ticket = await self._create(request)
        except Exception as error:
            message = f"Failed to create ticket: {str(error) or type(error).__name__}"
            raise RuntimeError(message) from error
        if isinstance(ticket, Rejected):
            raise _refusal(ticket)
        return ticket

    async def _create(self, request: Request) -> dict[str, Any] | Rejected:
        attempt = 1
        while True:
            try:
                async with self._session.begin_nested():
                    connection = await _driver(self._session)
                    return await _open(connection, request, check_numbers=attempt > 1)
            except Exception as error:
                if remedy(error) is not Remedy.CONFLICT or attempt == MOST_ATTEMPTS:
                    raise
                attempt += 1


async def _driver(session: AsyncSession) -> asyncpg.Connection:
    """The session's own connection, inside a savepoint: only then has its transaction begun."""
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    return raw.driver_connection


async def _open(
    connection: asyncpg.Connection, request: Request, *, check_numbers: bool
) -> dict[str, Any] | Rejected:
    known, _ = await gather(connection, [request], check_numbers=check_numbers)
    (decision,) = decide([request], known, Rules(last_chance=True))
    match decision:
        case Created():
            written = rows_of([decision], known)
            await write(connection, written, known, copy_from=NO_COPY)
            created: dict[str, Any] = orjson.loads(written.facts[0][-1])
            return created
        case Duplicate():
            return await _first_result(connection, request, known)
        case Rejected():
            return decision
        case Parked():
            message = "the last chance never parks"
            raise AssertionError(message)


async def _first_result(
    connection: asyncpg.Connection, request: Request, known: Known
) -> dict[str, Any]:
    prior = known.decided[request.tenant_id, request.request_key]
    if prior.outcome is not Outcome.CREATED or prior.ticket_id is None:
        raise WaitsForCustomer(request.message.request_id)
    return await first_fact(connection, request.tenant_id, prior.ticket_id)


def _refusal(rejected: Rejected) -> ValueError:
    if rejected.code is RejectionCode.CUSTOMER_NOT_FOUND:
        return ValueError(rejected.message)
    field = FIELD_OF_REFUSAL.get(rejected.code, "tenant_id")
    return ValueError(f"Invalid {field}: {rejected.message}")


def _text_of(value: object) -> object:
    """ORM models hold UUIDs as objects: they count as their text."""
    return str(value) if isinstance(value, UUID) else value


def _request(arguments: dict[str, Any]) -> Request:
    message = _valid(arguments)
    if message.request_id is None:
        key = request_key(Kind.REQUEST, "call", message.tenant_id, str(uuid4()))
    else:
        key = request_key(Kind.REQUEST, "request_id", message.tenant_id, message.request_id)
    content = crc32(message.model_dump_json().encode())
    return Request(message, PLAIN, None, message.tenant_id, key, ticket_id(key), content)


def _valid(arguments: dict[str, Any]) -> TicketCalled:
    try:
        message = TicketCalled.model_validate(arguments)
    except ValidationError as error:
        raise _invalid(worst_problem(TicketCalled, error), arguments) from None
    except (TypeError, RecursionError) as error:  # nothing but the context is free in its form
        raise ValueError(f"Invalid context: {error}; expected a JSON object") from None
    problem = unstorable_text(message)
    if problem is not None:
        raise _invalid(problem, arguments)
    return message


def _invalid(problem: Problem, arguments: Mapping[str, Any]) -> ValueError:
    if problem.path == "customer_id":
        return ValueError(f"Invalid customer_id: {arguments['customer_id']}")
    return ValueError(
        f"Invalid {problem.path}: {problem.problem}; expected {problem.accepted_form}"
    )
