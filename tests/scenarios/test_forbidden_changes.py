"""Whatever nobody may do to a ticket is refused, and leaves no trace but its refusal."""

import pytest

from schemas.vocabulary import RejectionCode
from tests.scenarios.forbidden_acts import (
    ACTS,
    ANNAS,
    BOUND,
    CLOSED,
    PARTNER,
    PARTNERS,
    RESOLVED,
    SOUTH,
)
from tests.scenarios.histories import assert_consistent, histories, told_on
from tests.scenarios.messages import TENANT, change_requested, customer, partner, requested
from tests.scenarios.world import World


@pytest.fixture
async def peopled(world: World) -> World:
    """Everybody that the acts speak of; the four tickets are made by `make_tickets`."""
    world.options |= {
        "CHANGE_TOPICS": r"ticket.change_requested,^(?P<tenant>[a-z]+)\.changes",
        "TENANTS": f"north,{SOUTH}",
    }
    await world.make_topics_named(BOUND)
    await world.make_topics()
    await world.publish(
        customer("Anna"),
        customer("Bert"),
        partner("Cable & Co"),
        partner("Mast & Co"),
        partner("asleep", status="suspended"),
        partner("theirs", tenant_id=SOUTH),
    )
    return world


async def make_tickets(world: World) -> None:
    """A service must run."""
    await world.until_rows("partners", 4)
    await world.publish(*(requested(number) for number in range(1, 5)))
    await world.until_rows("tickets", 4)
    await world.publish(
        change_requested("escalate", PARTNERS, to={"partner_id": PARTNER["id"]}),
        change_requested("set_status", CLOSED, status="closed"),
        change_requested("set_status", RESOLVED, status="resolved", request_id="resolves"),
    )
    await world.until_rows("requests WHERE outcome = 'changed'", 3)


async def everything(world: World) -> dict[str, list[str]]:
    """All that a change could have touched, row by row."""
    questions = {
        "tickets": "SELECT to_jsonb(t)::text AS row FROM tickets t ORDER BY 1",
        "messages": "SELECT to_jsonb(t)::text AS row FROM ticket_messages t ORDER BY 1",
        "facts": "SELECT to_jsonb(t)::text AS row FROM ticket_facts t WHERE sequence > 0"
        " ORDER BY 1",
    }
    return {
        what: [row["row"] for row in await world.ask(question)]
        for what, question in questions.items()
    }


async def test_every_forbidden_act_is_refused_and_leaves_no_other_trace(peopled: World) -> None:
    world = peopled
    async with world.service():
        await make_tickets(world)
        await world.ask(
            "UPDATE tickets SET resolved_at = now() - interval '8 days' WHERE id = $1", RESOLVED
        )
        await world.until_at_rest()
        before = await everything(world)
        facts = sum(map(len, (await histories(world)).values()))
        await world.publish(*(act.record(name) for name, act in ACTS.items()))
        report = await world.come_to_rest()
    assert report.outcomes == {
        "applied": 6,
        "created": 4,
        "changed": 3,
        "rejected": len(ACTS),
    }
    told = {fact.cause: fact for fact in await told_on(world, "ticket.rejected")}
    assert {name: (fact.data["code"], fact.data["message"]) for name, fact in told.items()} == {
        name: (act.code, act.message) for name, act in ACTS.items()
    }
    assert await everything(world) == before
    assert report.published == facts + len(ACTS)
    found = await histories(world)
    for ticket in (ANNAS, PARTNERS, CLOSED):
        await assert_consistent(world, found[ticket])


async def test_a_refusal_says_who_asked_for_what_and_where_it_stands(peopled: World) -> None:
    world = peopled
    name = "a stranger: a tenant on another's topic"
    async with world.service():
        await make_tickets(world)
        (place,) = await world.publish(ACTS[name].record(name))
        await world.come_to_rest()
    (fact,) = await told_on(world, "ticket.rejected")
    assert (fact.ticket_id, fact.sequence, fact.cause) == (ANNAS, 0, name)
    assert fact.data.pop("rejected_at")
    assert fact.data == {
        "tenant_id": SOUTH,  # whose topic it is: the claimed tenant is not touched
        "request_id": name,
        "kind": "change",
        "change": "set_status",
        "ticket_id": ANNAS,
        "ticket_number": None,
        "code": "tenant_mismatch",
        "message": "The topic is bound to tenant south, not north.",
        "actor": TENANT,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
    }


def test_every_code_that_a_change_can_be_refused_with_is_among_the_acts() -> None:
    """The customer is looked up where a ticket is opened, and only there."""
    assert {act.code for act in ACTS.values()} == set(RejectionCode) - {"customer_not_found"}
