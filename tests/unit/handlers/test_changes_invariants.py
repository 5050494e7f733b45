"""Any order and repetition of changes, by anybody: what is true of a ticket stays true."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.change_facts import TOLD
from handlers.outcomes import Change, Changed, Rejected, Unchanged
from handlers.ticket import Ticket
from schemas.vocabulary import ActorType, Priority, TicketStatus, TicketType
from tests.unit.handlers.changing import (
    CREATED,
    CUSTOMER,
    NOW,
    OTHER_PARTNER,
    PARTNER,
    a_change,
    a_ticket,
    data,
    decided,
)

NOT_CLOSED = [status for status in TicketStatus if status is not TicketStatus.CLOSED] * 2
OVER = {TicketStatus.RESOLVED, TicketStatus.CLOSED}

AGENTS = st.sampled_from([{"type": "tenant", "id": "agent-7"}, {"type": "platform"}])
THE_CUSTOMER = {"type": "customer", "id": CUSTOMER}
PARTIES = st.sampled_from(
    [
        *(THE_CUSTOMER, {"type": "customer", "id": "42"}),
        *({"type": "partner", "id": PARTNER}, {"type": "partner", "id": OTHER_PARTNER}),
    ]
)
STRANGERS = st.sampled_from(
    [{"type": "customer", "id": "43"}, {"type": "system", "id": "w"}, {"type": "x"}, None]
)
STATUSES = st.sampled_from([*NOT_CLOSED, TicketStatus.CLOSED])
PRIORITIES = st.sampled_from(Priority)
TEAMS, USERS = st.sampled_from([None, "noc", "field"]), st.sampled_from([None, "u-1", "u-2"])
OPTIONAL = {"is_internal": st.booleans(), "new_status": st.none() | STATUSES}
BODIES: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "add_message": st.fixed_dictionaries(
        {}, optional=OPTIONAL | {"sender_type": st.sampled_from(ActorType)}
    ),
    "set_status": st.fixed_dictionaries({"status": STATUSES}),
    "assign": st.fixed_dictionaries(
        {"assigned_team": TEAMS}, optional={"assigned_to_user_id": USERS}
    ),
    "set_priority": st.fixed_dictionaries({"priority": PRIORITIES}),
    "set_fields": st.fixed_dictionaries(
        {
            "fields": st.fixed_dictionaries(
                {"ticket_type": st.none() | st.sampled_from(TicketType)},
                optional={
                    "affected_services": st.lists(st.sampled_from(["voip", "tv"]), max_size=2),
                    "context": st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, True])),
                },
            )
        }
    ),
    "escalate": st.fixed_dictionaries(
        {
            "to": st.fixed_dictionaries(
                {"level": st.integers(-1, 11)},
                optional={
                    "target_type": st.sampled_from(ActorType),
                    "partner_id": st.sampled_from([PARTNER, OTHER_PARTNER]),
                    "team": TEAMS,
                    "user_id": USERS,
                },
            )
        }
    ),
    "rate": st.fixed_dictionaries({"rating": st.integers(1, 5)}),
}


class Asked(NamedTuple):
    """A change, and how many minutes after the one before it it is decided."""

    change: Change
    later: int


@st.composite
def actors(draw: st.DrawFn, kind: str) -> dict[str, str] | None:
    """Mostly somebody who may do that, so that the histories are long ones."""
    match draw(st.integers(0, 15)):
        case 0:
            return draw(STRANGERS)
        case 1 | 2 | 3 | 4 | 5:
            return draw(PARTIES)
        case _:
            return THE_CUSTOMER if kind == "rate" else draw(AGENTS)


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    kind = draw(st.sampled_from([*BODIES, "add_message", "set_status"]))
    more: dict[str, Any] = {"request_id": f"change-{draw(st.integers(0, 10**6))}"}
    if draw(st.booleans()):
        minutes = draw(st.integers(-1_000, 20_000))
        more["occurred_at"] = (CREATED + timedelta(minutes=minutes)).isoformat()
    if draw(st.integers(0, 9)) == 0:
        more["expected_sequence"] = draw(st.integers(0, 20))
    change = a_change(kind, draw(actors(kind)), **draw(BODIES[kind]), **more)
    return Asked(change, draw(st.sampled_from([0, 0, 1, 60, 11_000])))


class Played(NamedTuple):
    """A step of a history. decision: of the change to `before`, at `now`."""

    before: Ticket
    decision: Changed | Unchanged | Rejected
    after: Ticket
    now: datetime


def play(changes: Sequence[Asked], ticket: Ticket) -> list[Played]:
    """Each change decided on the ticket as the ones before it left it."""
    history, now = [], NOW
    for change, later in changes:
        now += timedelta(minutes=later)
        decision = decided(change, ticket, now=now)
        after = decision.ticket if isinstance(decision, Changed) else ticket
        history.append(Played(ticket, decision, after, now))
        ticket = after
    return history


HISTORIES = st.lists(asked(), min_size=1, max_size=14)


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_what_is_true_of_a_ticket_stays_true(changes: list[Asked]) -> None:
    for before, decision, after, now in play([*changes, *reversed(changes)], a_ticket()):
        if not isinstance(decision, Changed):
            assert after is before
            continue
        assert (after.resolved_at is not None) is (after.status in OVER)
        assert (after.resolution_time_minutes is not None) is (after.status in OVER)
        assert (after.closed_at is not None) is (after.status is TicketStatus.CLOSED)
        if before.status is TicketStatus.CLOSED:
            assert after.status is TicketStatus.CLOSED
        if before.first_response_at is not None:
            assert after.first_response_at == before.first_response_at
        for at in (after.first_response_at, after.resolved_at, after.last_change_at):
            assert at is None or CREATED <= at <= now
        assert after.resolution_time_minutes is None or after.resolution_time_minutes >= 0
        assert (before.last_change_at or CREATED) <= (after.last_change_at or CREATED)
        assert 0 <= after.escalation_level <= 9
        if after.target_type is ActorType.PARTNER:
            assert after.partner_id is not None
        assert (after.tenant_id, after.customer_id) == (before.tenant_id, before.customer_id)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_a_tickets_facts_are_numbered_without_gaps_and_tell_all_that_changed(
    changes: list[Asked],
) -> None:
    """Whoever folds the facts has the ticket: the trail is complete, and each `from` is true."""
    history = play([*changes, *reversed(changes)], a_ticket())
    state = {name: told(getattr(history[0].before, name)) for name in TOLD}
    numbers = [1]
    for _, decision, after, _ in history:
        for fact in data(decision) if isinstance(decision, Changed) else ():
            numbers.append(fact["sequence"])
            for name, change in fact.get("changes", {}).items():
                assert state[name] == change["from"]
                assert str(state[name]) != str(change["to"])
                state[name] = change["to"]
        assert state == {name: told(getattr(after, name)) for name in TOLD}
    assert numbers == list(range(1, len(numbers) + 1))


def told(value: Any) -> Any:  # noqa: ANN401  any field of a ticket
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return list(value) if isinstance(value, tuple) else value


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
def test_the_same_changes_again_have_the_same_history(changes: list[Asked]) -> None:
    assert play(changes, a_ticket()) == play(changes, a_ticket())


@settings(max_examples=200, deadline=None)
@given(HISTORIES, asked())
def test_what_sets_a_value_changes_nothing_the_second_time(
    changes: list[Asked], last: Asked
) -> None:
    """A message is another one each time; all else says what is to be, and then it is."""
    last = last._replace(later=0)
    *_, once, twice = play([*changes, last, last], a_ticket())
    if last.change.message.expected_sequence is not None or once.before is once.after:
        return
    if isinstance(once.decision, Changed) and once.decision.message is None:
        match twice.decision:
            case Unchanged():
                assert twice.after == once.after
            case Rejected(code=code):
                # Having handed it on, a partner has no part in it; a closed one takes no more.
                assert code in {"access_denied", "ticket_closed", "transition_not_allowed"}
            case Changed():
                raise AssertionError(twice)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_a_ticket_from_the_database_is_judged_like_one_in_hand(changes: list[Asked]) -> None:
    """Lists come back as lists, and what was not kept of the last change costs no decision."""
    ticket = a_ticket()
    for played in play(changes, ticket):
        stored = replace(
            played.before,
            affected_services=list(played.before.affected_services),
            device_serial_numbers=list(played.before.device_serial_numbers),
            context=dict(played.before.context),
        )
        again = decided(played.decision.request, stored, now=played.now)  # type: ignore[arg-type]
        assert type(again) is type(played.decision)
        if isinstance(again, Changed):
            assert isinstance(played.decision, Changed)
            assert again.effects == played.decision.effects
