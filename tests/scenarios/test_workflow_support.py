"""The support request of examples/workflows, on real servers."""

from devstack.stack import Stack
from examples.workflows import support_request
from tests.scenarios.histories import assert_consistent, histories, refusals
from tests.scenarios.story_program import told_alone, told_to
from tests.scenarios.world import World

PROGRAM = support_request.__name__

TOLD = [
    ("request", "ticket.created"),
    ("first_reply", "ticket.message_added"),
    ("first_reply", "ticket.status_changed"),
    ("note", "ticket.message_added"),
    ("answer", "ticket.message_added"),
    ("resolved", "ticket.message_added"),
    ("resolved", "ticket.status_changed"),
    ("back", "ticket.message_added"),
    ("back", "ticket.reopened"),
    ("resolved_again", "ticket.status_changed"),
    ("rated", "ticket.rated"),
]


async def test_a_support_request_from_the_first_word_to_the_rating(world: World) -> None:
    async with world.service():
        output = await told_to(world, PROGRAM)
        report = await world.come_to_rest()
    ((ticket, history),) = (await histories(world)).items()
    causes = [(fact.cause or "").rpartition(":")[2] for fact in history]
    assert list(zip(causes, [fact.ce_type for fact in history], strict=True)) == TOLD
    await assert_consistent(world, history)
    assert await refusals(world) == {}
    assert report.outcomes == {"applied": 1, "created": 1, "changed": 7}
    assert (report.tickets, report.published) == (1, len(TOLD))
    for fact in history:
        assert f"#{fact.sequence:<6} {fact.ce_type}" in output
    assert history[0].data["ticket_number"] in output

    (row,) = await world.ask("SELECT * FROM tickets WHERE id = $1", ticket)
    assert (row["status"], row["priority"], row["rating"]) == ("resolved", "high", 5)
    assert row["rating_comment"] == "Quick, and friendly."
    first_reply, resolved_again = history[1].data, history[9].data
    assert row["first_response_at"].isoformat() == first_reply["occurred_at"]
    assert row["resolved_at"].isoformat() == resolved_again["occurred_at"]
    assert row["closed_at"] is None


async def test_what_is_internal_is_kept_and_never_published(world: World) -> None:
    async with world.service():
        output = await told_to(world, PROGRAM)
        await world.come_to_rest()
    ((body, sender),) = await world.ask(
        "SELECT body, sender_id FROM ticket_messages WHERE is_internal"
    )
    assert (body, sender) == ("High attenuation: port 14?", "agent-7")
    assert "attenuation" not in output
    for topic in ("ticket.created", "ticket.updated"):
        for record in await world.read(topic):
            assert b"attenuation" not in record.value


async def test_told_twice_it_is_two_tickets(world: World) -> None:
    """Each run has request ids of its own: the second is nobody's repeat."""
    async with world.service():
        await told_to(world, PROGRAM)
        await told_to(world, PROGRAM)
        report = await world.come_to_rest()
    assert report.outcomes == {"applied": 2, "created": 2, "changed": 14}
    for history in (await histories(world)).values():
        await assert_consistent(world, history)


async def test_the_program_starts_what_it_needs(stack: Stack) -> None:
    output = await told_alone(stack, PROGRAM)
    assert "#11     ticket.rated" in output
    assert "from 1 to 11" in output
