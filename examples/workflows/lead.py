"""Who is onboarded, and what it came to. Plain values: workflow engines keep them as JSON."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who has signed. id: the sales department's, the same however often it is sent."""

    id: str
    tenant_id: str
    name: str
    email: str
    plan: str
    service_address: str


@dataclass(frozen=True, slots=True)
class Onboarded:
    """What the six steps came to; the mail leaves its own trace."""

    customer_id: str
    subscription: str
    licence: str
    portal: str
    ticket_id: str
    ticket_number: str


EXAMPLE = Lead(
    id="lead-2041",
    tenant_id="acme-fiber",
    name="Ada Lovelace",
    email="ada@example.com",
    plan="fiber-500",
    service_address="12 Analytical Row, Anytown",
)
