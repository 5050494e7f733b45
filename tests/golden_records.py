"""Records that once were accepted or refused, and what became of them: tests/golden/.

`python -m tests.golden_records 2` writes those of version 2.

They are written once for each released version, into tests/golden/VERSION/records.jsonl, and never
again: a test replays all of them through today's decoder and today's decisions.
"""

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from consumer.contract_examples import opened
from consumer.outgoing import Outgoing, as_read, facts_going_out
from handlers.batch import Broken
from handlers.change_rows import add_changes
from handlers.changes import decide_change
from handlers.entries import TopicRole, read
from handlers.outcomes import (
    Change,
    Changed,
    Created,
    Known,
    Party,
    Rejected,
    Request,
    Rules,
    Stranger,
    outcome_of,
)
from handlers.parties import PartyChange
from handlers.record import StoredRecord
from handlers.requests import decide
from handlers.rows import rows_of
from handlers.ticket import Ticket
from handlers.written import Written
from schemas.catalogue import TOPIC_OF_CE_TYPE
from tests.unit.schemas.documents import CUSTOMER, PARTNER, attachment, change, customer, request

GOLDEN = Path(__file__).parent / "golden"
BEGINNING = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
STRANGER = "11111111-2222-4333-8444-555555555555"
ROLES = {
    "ticket.requested": TopicRole("request"),
    "ticket.change_requested": TopicRole("change"),
    "customer.changed": TopicRole("customer"),
    "partner.changed": TopicRole("partner"),
}
MOST_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class Replay:
    """One database's worth of decisions, in memory. tickets: as the last record left them."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    offset: int = 0

    def outcome(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of a golden record today."""
        record = self._record(line)
        now = BEGINNING + timedelta(minutes=self.offset)
        entry = read(record, ROLES[record.topic], MOST_BYTES)
        match entry:
            case Broken():
                kind = entry.error_class  # how its sentence is put may change
                return {"outcome": "dead_lettered", "error_class": kind, "path": entry.path}
            case PartyChange():
                state = None if entry.state is None else asdict(entry.state)
                told = json.loads(json.dumps(state, default=datetime.isoformat))
                return {"outcome": "applied", "party": entry.id, "state": told}
            case Request():
                return self._decide(entry, _known(now))
            case Change():
                return self._change(entry, _known(now))

    def _record(self, line: Mapping[str, Any]) -> StoredRecord:
        self.offset += 1
        return StoredRecord(
            line["topic"],
            0,
            self.offset,
            int(BEGINNING.timestamp() * 1000),
            None if line["key"] is None else line["key"].encode(),
            value_of(line),
            tuple((name, value.encode()) for name, value in line["headers"]),
        )

    def _decide(self, asked: Request, known: Known) -> dict[str, Any]:
        (decision,) = decide([asked], known, Rules(last_chance=True))
        if isinstance(decision, Created):
            ticket = opened(decision, known)
            self.tickets[ticket.id] = ticket
        return _told(decision, rows_of([decision], known), known)

    def _change(self, asked: Change, known: Known) -> dict[str, Any]:
        message = asked.message
        found = [
            each
            for each in self.tickets.values()
            if message.ticket_id == each.id or message.ticket_number == each.number
        ]
        ticket = found[0] if found else None
        partners = known.partners
        decision = decide_change(asked, ticket, now=known.now, partners=partners)
        if isinstance(decision, Changed):
            self.tickets[decision.ticket.id] = decision.ticket
        written = Written()
        add_changes(written, [decision], known)
        return _told(decision, written, known)


def _known(now: datetime) -> Known:
    return Known(
        now,
        1,
        customers={("north", 4711): CUSTOMER},
        strangers={("north", STRANGER): Stranger.MISSING},
        partners={PARTNER: Party("north", "active")},
    )


def _told(decision: Any, written: Written, known: Known) -> dict[str, Any]:  # noqa: ANN401  any decision
    told: dict[str, Any] = {"outcome": outcome_of(decision).value}
    if isinstance(decision, Rejected):
        told["code"] = decision.code.value
    facts = facts_going_out(as_read(written.facts, known.now), TOPIC_OF_CE_TYPE.__getitem__)
    return told | {"facts": [_fact(each) for each in facts]}


def _fact(going: Outgoing) -> dict[str, Any]:
    return {
        "topic": going.topic,
        "key": (going.key or b"").decode(),
        "headers": {name: (value or b"").decode() for name, value in going.headers},
        "data": json.loads(going.value or b""),
    }


def value_of(line: Mapping[str, Any]) -> bytes | None:
    """A golden record's value: text, or what is none in Base64, or nothing."""
    if "value_base64" in line:
        return base64.b64decode(line["value_base64"])
    value: str | None = line["value"]
    return None if value is None else value.encode()


def records(folder: Path) -> list[dict[str, Any]]:
    """The golden records of a released version, in their order."""
    text = (folder / "records.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def _line(topic: str, value: object, key: str | None = None, **headers: str) -> dict[str, Any]:
    line = {"topic": topic, "key": key, "headers": [*headers.items()]}
    match value:
        case bytes():
            return line | {"value_base64": base64.b64encode(value).decode()}
        case str() | None:
            return line | {"value": value}
        case _:
            return line | {"value": json.dumps(value, ensure_ascii=False)}


def _requests() -> Iterator[dict[str, Any]]:
    topic = "ticket.requested"
    everything = request(
        request_id="r-2",
        title="  Zu langsam \u3000",
        priority=" Critical ",
        ticket_type="Speed_Issue",
        assigned_team="noc",
        service_address="Hafenstra\u00dfe 12",
        affected_services=["internet", "tv"],
        device_serial_numbers=["SN-1"],
        actor={"type": "CUSTOMER", "id": "c-1"},
        attachments=[attachment(size=12, content_type="text/plain")],
        context={"line": 4, "deep": [{"a": None}], "large": 10**30},
        group_key="olt-7",
        requested_at="2026-11-24T09:30:00+01:00",
        a_field_of_tomorrow={"x": 1},
    )
    yield _line(topic, request(request_id="r-1"), CUSTOMER)
    yield _line(topic, everything, CUSTOMER, traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
    yield _line(topic, request(customer_id=4711, priority=None, actor=None))
    yield _line(topic, request(), None, ce_id="e-1", ce_source="/portal", ce_type="anything")
    event = {"id": "e-2", "source": "/portal", "type": "t", "specversion": "1.0"}
    structured = {"content-type": "Application/CloudEvents+JSON; charset=utf-8"}
    yield _line(topic, event | {"data": request()}, None, **structured)
    yield _line(
        topic,
        request(customer_id=..., origin_type="partner", partner_id=PARTNER, target_type="platform"),
    )
    yield _line(topic, '{"title": 5, ' + json.dumps(request())[1:])
    yield _line(topic, request(customer_id=STRANGER))
    yield _line(topic, request(target_type="partner"))
    yield _line(topic, request(origin_type="platform", target_type="platform"))
    for value in (
        *(None, "", "not json", "[]", b"\xff", b"\0\0\0\0\x11{}", b"\xef\xbb\xbf{}"),
        *('{"a": NaN}', "[" * 101, request(title="ab"), request(title="a\0bc")),
        *(request(tenant_id="a b"), request(priority="asap"), request(customer_id=None)),
        *(request(context={"a": "x" * 40_000}), request(actor={"type": "system"})),
        *(request(requested_at="2026-11-24"), request(attachments=[attachment(url="ftp://a")])),
    ):
        yield _line(topic, value)
    yield _line(topic, event | {"specversion": "0.3", "data": request()}, None, **structured)


def _changes(ticket: str, number: str) -> Iterator[dict[str, Any]]:
    asked: list[dict[str, Any]] = [
        {"change": "add_message", "body": "Any news?", "request_id": "c-1"},
        {"change": "add_message", "body": "Psst", "is_internal": True, "new_status": "Waiting"},
        {"change": "set_status", "status": "in_progress"},
        {"change": "set_status", "status": "in_progress"},
        {"change": "assign", "assigned_team": "field", "assigned_to_user_id": "u-1"},
        {"change": "assign", "assigned_team": None},
        {"change": "set_priority", "priority": "HIGH", "expected_sequence": 99},
        {"change": "set_fields", "fields": {"context": {"a": 1}, "service_address": None}},
        {"change": "escalate", "to": {"level": 2, "team": "core"}, "reason": "Line card"},
        {"change": "escalate", "to": {"target_type": "partner", "partner_id": PARTNER}},
        {"change": "rate", "rating": 5},
        {"change": "set_priority", "priority": "low", "expected_sequence": 1},
        {"change": "set_status", "status": "resolved", "occurred_at": "2026-11-24T09:00:00Z"},
        {"change": "rate", "rating": 5, "actor": {"type": "customer", "id": CUSTOMER}},
        {"change": "set_status", "status": "open", "actor": {"type": "customer", "id": CUSTOMER}},
        {"change": "set_status", "status": "closed", "actor": {"type": "admin"}},
        {"change": "set_status", "status": "closed", "actor": None},
        {"change": "rate", "rating": 6},
        {"change": "close"},
        {"change": "assign"},
        {"change": "escalate", "to": {}},
        {"change": "set_fields", "fields": {"context": None}},
        {"change": "rate", "rating": 5, "ticket_number": number},
    ]
    topic = "ticket.change_requested"
    for each in asked:
        document = change(each["change"], **{"ticket_id": ticket, **each})
        yield _line(topic, document, ticket)
    by_number = change("set_status", ticket_id=..., ticket_number=number.lower(), status="Open")
    yield _line(topic, by_number)
    yield _line(topic, change("rate", ticket_id=STRANGER, rating=1))
    yield _line(topic, None, ticket)


def _parties() -> Iterator[dict[str, Any]]:
    topic = "customer.changed"
    everything = customer(
        external_id=4711, name=" Anna ", status="Suspended", tier="gold", colour="red"
    )
    yield _line(topic, everything | {"updated_at": "2026-11-24T09:30:00+01:00"}, CUSTOMER)
    yield _line(topic, customer(), CUSTOMER)
    yield _line(topic, None, CUSTOMER)
    yield _line(topic, None, "nobody")
    yield _line(topic, customer(external_id="4711"))
    yield _line("partner.changed", {"partner_id": PARTNER.upper(), "tenant_id": "north"}, PARTNER)
    yield _line("partner.changed", {"partner_id": PARTNER})


def written(version: str) -> Path:
    """Write the golden records of a version that is released now; never over older ones."""
    replay = Replay()
    lines = [line | {"expected": replay.outcome(line)} for line in (*_parties(), *_requests())]
    ticket = next(iter(replay.tickets.values()))
    changes = _changes(ticket.id, ticket.number)
    lines += [line | {"expected": replay.outcome(line)} for line in changes]
    folder = GOLDEN / version
    folder.mkdir(parents=True)
    path = folder / "records.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(written(sys.argv[1]))  # noqa: T201  a program
