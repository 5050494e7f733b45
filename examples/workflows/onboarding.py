"""Lead-to-customer onboarding in plain Python: `python -m examples.workflows.onboarding`."""

import asyncio

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from examples.workflows import steps
from examples.workflows.lead import EXAMPLE, Lead, Onboarded
from examples.workflows.ledger import trace
from examples.workflows.own_database import own_database
from examples.workflows.sessions import sessions


async def onboard_customer(session_of: async_sessionmaker[AsyncSession], lead: Lead) -> Onboarded:
    """All six steps, each in a transaction of its own. After a crash, call it again."""
    async with session_of.begin() as session:
        customer_id = await steps.create_customer(session, lead)
    async with session_of.begin() as session:
        subscription = await steps.create_subscription(session, lead, customer_id)
    async with session_of.begin() as session:
        licence = await steps.issue_licence(session, lead, customer_id)
    async with session_of.begin() as session:
        portal = await steps.provision_tenant(session, lead, customer_id)
    async with session_of.begin() as session:
        await steps.send_notification(session, lead, portal)
    async with session_of.begin() as session:
        request_id = f"onboarding:{lead.id}"
        ticket = await steps.open_ticket(session, lead, customer_id, request_id)
    return Onboarded(
        customer_id, subscription, licence, portal, ticket["ticket_id"], ticket["ticket_number"]
    )


async def show(session_of: async_sessionmaker[AsyncSession], lead: Lead, done: Onboarded) -> None:
    """Print what the database holds of this onboarding, and what the workflow returned."""
    console = Console(soft_wrap=True)
    async with session_of() as session:
        for step, result in await trace(session, lead.id):
            console.print(f"[bold]{step}[/]", result)
    console.print("[bold]ticket[/]", done.ticket_number, done.ticket_id)


async def main(url: str) -> None:
    async with sessions(url) as session_of:
        done = await onboard_customer(session_of, EXAMPLE)
        again = await onboard_customer(session_of, EXAMPLE)
        await show(session_of, EXAMPLE, done)
        Console(soft_wrap=True).print("Run again:", "the same result" if again == done else again)


if __name__ == "__main__":
    with own_database() as database_url:
        asyncio.run(main(database_url))
