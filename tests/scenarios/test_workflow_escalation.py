"""The escalation of examples/workflows, on real servers."""

import asyncio

from devstack.stack import Stack
from examples.workflows import escalation
from examples.workflows.case import TENANT, Case, Step, example_id
from examples.workflows.escalation import ADA, PARTNER_NAME, THEIR_PARTNER, THEIR_TENANT
from examples.workflows.service_desk import ServiceDesk
from tests.scenarios.histories import assert_consistent, histories, refusals, told_on
from tests.scenarios.messages import Message, customer, partner
from tests.scenarios.story_program import told_alone, told_to
from tests.scenarios.world import World

PROGRAM = escalation.__name__
PARTNER_ID = example_id(PARTNER_NAME)

TOLD = [
    ("request", "ticket.created"),
    ("to_partner", "ticket.escalated"),
    ("partner_answers", "ticket.message_added"),
    ("partner_answers", "ticket.status_changed"),
    ("to_platform", "ticket.escalated"),
    ("platform_resolves", "ticket.message_added"),
    ("platform_resolves", "ticket.status_changed"),
]

START = {
    "level": 0,
    "target_type": "tenant",
    "partner_id": None,
    "team": None,
    "user_id": None,
}
AT_PARTNER = START | {"level": 1, "target_type": "partner", "partner_id": PARTNER_ID}
AT_PLATFORM = AT_PARTNER | {"level": 2, "target_type": "platform", "team": "core_network"}


def known(name: str, tenant_id: str = TENANT) -> Message:
    return partner(name, partner_id=example_id(name), tenant_id=tenant_id)


async def test_from_the_tenant_to_its_partner_to_the_platform(world: World) -> None:
    await world.publish(known(PARTNER_NAME), known(THEIR_PARTNER, THEIR_TENANT))
    async with world.service():
        await world.until_rows("partners", 2)
        output = await told_to(world, PROGRAM)
        report = await world.come_to_rest()
    ((ticket, history),) = (await histories(world)).items()
    causes = [(fact.cause or "").rpartition(":")[2] for fact in history]
    assert list(zip(causes, [fact.ce_type for fact in history], strict=True)) == TOLD
    await assert_consistent(world, history)
    assert report.outcomes == {"applied": 5, "created": 1, "changed": 4, "rejected": 2}
    assert (report.tickets, report.published) == (1, len(TOLD) + 2)
    for fact in history:
        assert f"#{fact.sequence:<6} {fact.ce_type}" in output

    handed_on = [fact.data for fact in history if fact.ce_type == "ticket.escalated"]
    assert [(data["from"], data["to"]) for data in handed_on] == [
        (START, AT_PARTNER),
        (AT_PARTNER, AT_PLATFORM),
    ]
    assert handed_on[0]["reason"] == "The cable in the street is theirs."
    assert handed_on[0]["actor"] == {"type": "tenant", "id": "agent-7"}
    assert handed_on[1]["actor"] == {"type": "partner", "id": PARTNER_ID}

    (row,) = await world.ask("SELECT * FROM tickets WHERE id = $1", ticket)
    assert (row["status"], row["priority"]) == ("resolved", "high")
    assert (row["target_type"], str(row["partner_id"])) == ("platform", PARTNER_ID)
    assert (row["escalation_level"], row["assigned_team"]) == (2, "core_network")
    assert row["escalated_at"].isoformat() == handed_on[1]["occurred_at"]
    assert row["first_response_at"].isoformat() == history[2].data["occurred_at"]


async def test_what_is_refused_is_told_and_leaves_the_ticket_where_it_was(world: World) -> None:
    await world.publish(known(PARTNER_NAME), known(THEIR_PARTNER, THEIR_TENANT))
    async with world.service():
        await world.until_rows("partners", 2)
        output = await told_to(world, PROGRAM)
        await world.come_to_rest()
    told = {
        (cause or "").rpartition(":")[2]: refusal
        for cause, refusal in (await refusals(world)).items()
    }
    assert told == {
        "urgent": ("access_denied", "Customers cannot update ticket metadata."),
        "wrong_partner": (
            "partner_other_tenant",
            "Partner does not belong to the specified tenant context.",
        ),
    }
    for code, sentence in told.values():
        assert f"{code}: {sentence}" in output
    ((ticket, history),) = (await histories(world)).items()
    refused = await told_on(world, "ticket.rejected")
    assert {fact.ticket_id for fact in refused} == {ticket}
    assert {(fact.data["kind"], fact.data["change"]) for fact in refused} == {
        ("change", "set_priority"),
        ("change", "escalate"),
    }
    assert not {fact.cause for fact in refused} & {fact.cause for fact in history}


async def test_a_partner_that_is_announced_late_is_waited_for(world: World) -> None:
    """The same request id is refused, and accepted once the partner is known."""
    to_partner: Step = next(step for step in escalation.STEPS if step.name == "to_partner")
    lines: list[str] = []

    def tell(desk: ServiceDesk) -> None:
        case = Case(desk, lines.append, "late")
        case.open("A request.", example_id(ADA), **escalation.REQUEST)
        case.take(to_partner)

    await world.publish(customer(ADA, customer_id=example_id(ADA), tenant_id=TENANT))
    async with world.service():
        with await asyncio.to_thread(ServiceDesk, world.kafka, world.prefix) as desk:
            telling = asyncio.create_task(asyncio.to_thread(tell, desk))
            await world.until_rows("requests WHERE code = 'partner_not_found'")
            await world.publish(known(PARTNER_NAME))
            await telling
        report = await world.come_to_rest()
    assert report.outcomes["changed"] == 1
    assert set(report.outcomes) == {"applied", "created", "changed", "rejected"}
    (history,) = (await histories(world)).values()
    await assert_consistent(world, history)
    assert "   #2      ticket.escalated" in lines


async def test_the_program_starts_what_it_needs(stack: Stack) -> None:
    output = await told_alone(stack, PROGRAM)
    assert "partner_other_tenant" in output
    assert "from 1 to 7" in output
