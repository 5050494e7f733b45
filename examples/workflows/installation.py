"""Ordering an installation: the appointment and its ticket stand or fall together.

Run it with `python -m examples.workflows.installation`.
"""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from examples.workflows import steps
from examples.workflows.lead import EXAMPLE
from examples.workflows.ledger import metadata as example_metadata
from examples.workflows.own_database import own_database
from examples.workflows.sessions import sessions
from handlers.workflow import TicketingService


class Base(DeclarativeBase):
    metadata = example_metadata


class Appointment(Base):
    """A technician's visit, in the caller's own table."""

    __tablename__ = "appointments"

    order_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date]
    ticket_number: Mapped[str]


@dataclass(frozen=True, slots=True)
class Order:
    """customer_id: the ticketing system's UUID, or the number that the ordering system uses."""

    id: str
    tenant_id: str
    customer_id: int | str
    service_address: str
    day: date


async def schedule_installation(session: AsyncSession, order: Order) -> dict[str, Any]:
    """Book the visit and open its ticket in the caller's transaction, which the caller commits."""
    ticket = await TicketingService(db=session).create_ticket(
        title="Installation Request",
        description=f"Customer requests installation at {order.service_address}",
        customer_id=order.customer_id,
        priority="normal",
        assigned_team="field_ops",
        tenant_id=order.tenant_id,
        ticket_type="installation_request",
        service_address=order.service_address,
        context={"order_id": order.id, "day": order.day.isoformat()},
        request_id=f"installation:{order.id}",
    )
    number = ticket["ticket_number"]
    await session.merge(Appointment(order_id=order.id, day=order.day, ticket_number=number))
    return ticket


async def show(session_of: async_sessionmaker[AsyncSession]) -> None:
    async with session_of.begin() as session:
        customer_id = await steps.create_customer(session, EXAMPLE)
    order = Order(
        "order-77", EXAMPLE.tenant_id, customer_id, EXAMPLE.service_address, date(2026, 12, 1)
    )
    async with session_of.begin() as session:
        ticket = await schedule_installation(session, order)
    console = Console(soft_wrap=True)
    console.print(ticket)
    async with session_of() as session:
        visit = await session.get_one(Appointment, order.id)
        console.print(f"{visit.order_id} on {visit.day}: {visit.ticket_number}")


async def main(url: str) -> None:
    async with sessions(url) as session_of:
        await show(session_of)


if __name__ == "__main__":
    with own_database() as database_url:
        asyncio.run(main(database_url))
