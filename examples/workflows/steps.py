"""The six steps of onboarding: five stand-ins for systems of their own, then the ticket.

Each works in its caller's transaction and may be repeated: what exists already is returned.
"""

import secrets
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.tables import customers
from examples.workflows.lead import Lead
from examples.workflows.ledger import once
from handlers.workflow import TicketingService


async def create_customer(session: AsyncSession, lead: Lead) -> str:
    """Make the lead a customer; returns the customer's id.

    Elsewhere the customer's own system publishes `customer.changed`, and the consumer keeps the
    row that tickets refer to; this example has no Kafka and writes it itself.
    """
    customer_id = str(uuid5(NAMESPACE_URL, f"lead:{lead.tenant_id}:{lead.id}"))
    row = {
        "id": customer_id,
        "tenant_id": lead.tenant_id,
        "name": lead.name,
        "status": "active",
        "updated_at": func.now(),
    }
    await session.execute(insert(customers).values(row).on_conflict_do_nothing())
    await once(session, lead.id, "customer", {"customer_id": customer_id, "name": lead.name})
    return customer_id


async def create_subscription(session: AsyncSession, lead: Lead, customer_id: str) -> str:
    """Subscribe the customer to the plan; returns the subscription's number."""
    subscription = {"subscription": f"SUB-{secrets.token_hex(4).upper()}", "plan": lead.plan}
    done = await once(session, lead.id, "subscription", subscription | {"customer": customer_id})
    return str(done["subscription"])


async def issue_licence(session: AsyncSession, lead: Lead, customer_id: str) -> str:
    """Returns the key that the customer's equipment registers with."""
    licence = {"licence": secrets.token_urlsafe(18), "customer": customer_id}
    return str((await once(session, lead.id, "licence", licence))["licence"])


async def provision_tenant(session: AsyncSession, lead: Lead, customer_id: str) -> str:
    """Open the customer's place in the tenant's portal; returns its address."""
    portal = {"portal": f"https://{lead.tenant_id}.example.com/{customer_id}"}
    return str((await once(session, lead.id, "tenant", portal))["portal"])


async def send_notification(session: AsyncSession, lead: Lead, portal: str) -> None:
    """Put the welcome mail into the outgoing mail, in the same transaction as its record."""
    mail = {"to": lead.email, "subject": f"Welcome, {lead.name}", "body": f"Your portal: {portal}"}
    await once(session, lead.id, "mail", mail)


async def open_ticket(
    session: AsyncSession, lead: Lead, customer_id: str, request_id: str
) -> dict[str, Any]:
    """Ask the onboarding team for the welcome call. request_id: the same for every attempt."""
    return await TicketingService(db=session).create_ticket(
        title="New Customer Onboarding",
        description=(
            f"New customer {lead.email} has been onboarded. Please complete setup and welcome call."
        ),
        customer_id=customer_id,
        priority="high",
        assigned_team="onboarding_team",
        tenant_id=lead.tenant_id,
        ticket_type="general_inquiry",
        service_address=lead.service_address,
        request_id=request_id,
    )
