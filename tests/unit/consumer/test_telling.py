"""What operators see of a batch: every record counted once, and nothing that customers wrote."""

from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from consumer.batch import is_progress
from consumer.metrics import Metrics
from consumer.telling import Telling
from handlers.batch import Broken, Handled
from handlers.outcomes import Decision, Duplicate, Rules, Stranger
from handlers.parties import Moved, PartyChange
from handlers.requests import decide
from schemas.vocabulary import Outcome
from tests.records import NOON, asked, broken, customer_change, known
from tests.scenarios.messages import NORTH, party_id

NOBODY = party_id("Nobody")
SECRET = "what only the customer knows"  # noqa: S105  no password


def handled(
    decisions: Sequence[Decision] = (),
    *,
    parties: Sequence[tuple[PartyChange, Outcome | Moved]] = (),
    dead: Sequence[Broken] = (),
    repeated: Sequence[Broken] = (),
) -> Handled:
    return Handled(NOON, list(decisions), list(parties), list(dead), list(repeated), 7)


def decisions() -> list[Decision]:
    """Created, duplicate, differing duplicate, rejected, parked."""
    requests = [
        asked(1, 0),
        asked(1, 1),
        asked(1, 2, description=SECRET),
        asked(2, 3, target_type="platform", title=SECRET, service_address=SECRET),
        asked(3, 4, customer_id=NOBODY, context={"note": SECRET}, surprise=SECRET, another=1),
    ]
    facts = known(strangers={(NORTH, NOBODY): Stranger.MISSING})
    return decide(requests, facts, Rules())


class Told:
    """What was counted and logged of these parts of a batch."""

    def __init__(self, *parts: Handled, records: int = 5) -> None:
        metrics = Metrics()
        with capture_logs() as self.lines:
            Telling(metrics).tell(records, parts, 0.5)
        self._registry = metrics.registry

    def count(self, name: str, **labels: str) -> float:
        return self._registry.get_sample_value(f"ticketing_{name}", labels) or 0.0

    def line(self, event: str) -> dict[str, Any]:
        (found,) = [dict(line) for line in self.lines if line["event"] == event]
        return found


def test_every_record_is_counted_by_topic_and_outcome() -> None:
    change = customer_change(offset=5)
    told = Told(
        handled(decisions()),
        handled(
            parties=[(change, Outcome.CHANGED), (change, Moved(change, "south"))],
            dead=[broken(6)],
            repeated=[broken(7)],
        ),
    )
    for outcome, number in {
        "created": 1,
        "duplicate": 3,  # one of them a dead letter that was kept before
        "rejected": 1,
        "parked": 1,
        "dead_lettered": 1,
    }.items():
        assert told.count("records_total", topic="ticket.requested", outcome=outcome) == number
    assert told.count("records_total", topic="customer.changed", outcome="changed") == 1
    assert told.line("batch.committed") == {
        "event": "batch.committed",
        "log_level": "info",
        "records": 5,
        "transactions": 2,
        "seconds": 0.5,
        "created": 1,
        "duplicate": 3,
        "rejected": 1,
        "parked": 1,
        "changed": 1,
        "dead_lettered": 1,
    }


def test_refusals_are_named_with_their_place() -> None:
    told = Told(handled(decisions(), dead=[broken(9, b"")]))
    assert told.count("rejections_total", code="route_not_allowed") == 1
    assert told.count("differing_duplicates_total", topic="ticket.requested") == 1
    assert told.count("dead_letters_total", topic="ticket.requested", error_class="NotJson") == 1
    assert told.line("request.rejected") | {"log_level": ""} == {
        "event": "request.rejected",
        "log_level": "",
        "code": "route_not_allowed",
        "tenant_id": NORTH,
        "request_id": "request-2",
        "topic": "ticket.requested",
        "partition": 0,
        "offset": 3,
    }
    assert told.line("duplicate.differs")["offset"] == 2
    assert told.line("record.dead_lettered")["offset"] == 9


def test_unknown_fields_are_counted() -> None:
    assert Told(handled(decisions())).count("unknown_fields_total", topic="ticket.requested") == 2


def test_no_line_says_what_a_customer_wrote() -> None:
    assert SECRET not in str(Told(handled(decisions())).lines)


def test_a_batch_is_measured() -> None:
    told = Told(handled(), records=250)
    assert told.count("batch_records_sum") == 250
    assert told.count("batch_step_seconds_sum", step="settle") == 0.5


def test_what_was_settled_before_is_no_progress() -> None:
    duplicate = Duplicate(asked(), differs=False)
    change = customer_change()
    assert not is_progress(handled())
    assert not is_progress(handled([duplicate], repeated=[broken()]))
    assert not is_progress(handled(parties=[(change, Outcome.UNCHANGED)]))
    assert is_progress(handled([duplicate, *decisions()]))
    assert is_progress(handled(parties=[(change, Outcome.CHANGED)]))
    assert is_progress(handled(dead=[broken()]))
