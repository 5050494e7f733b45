"""From a record to what it asks for: decoded, identified, or broken."""

from datetime import UTC, datetime
from typing import Final, NamedTuple
from zlib import crc32

from db.errors import Remedy, remedy
from handlers.batch import Broken, Entry
from handlers.identity import request_key, ticket_id
from handlers.outcomes import Change, Request
from handlers.parties import PartyChange, PartyState
from handlers.record import Record
from schemas.decode import Decoded, InvalidRecord, decode, decode_party
from schemas.envelope import Envelope
from schemas.party_changed import CustomerChanged, PartnerChanged, PartyChanged, PartyDeleted
from schemas.ticket_change_requested import TicketChangeRequested
from schemas.ticket_requested import TicketRequested
from schemas.vocabulary import Kind

TOO_LARGE: Final = "RecordTooLarge"


class TopicRole(NamedTuple):
    """What a topic is to us. kind: request, change, customer or partner. tenant: its only one."""

    kind: str
    tenant: str | None = None


def read(record: Record, role: TopicRole, max_bytes: int) -> Entry:
    """Decode one record. Nothing that it holds makes this raise."""
    try:
        return _read(record, role, max_bytes)
    except Exception as error:
        if remedy(error) is not Remedy.RECORD:
            raise
        form = "expected a record that can be read"
        kind = type(error).__name__
        return Broken(record, kind, f"value: can't be read ({kind}); {form}", tenant_id=role.tenant)


def read_parked(record: Record) -> Entry:
    """Decode a parked record: it was a request when it came in, whatever its topic is by now."""
    return read(record, TopicRole(Kind.REQUEST), len(record.value or b""))


def _read(record: Record, role: TopicRole, max_bytes: int) -> Entry:
    value = record.value
    if value is not None and len(value) > max_bytes:
        return Broken(
            record,
            TOO_LARGE,
            f"value: is {len(value)} bytes long; expected at most {max_bytes} bytes",
            tenant_id=role.tenant,
        )
    match role.kind:
        case Kind.REQUEST:
            decoded = decode(TicketRequested, value, record.headers)
            if isinstance(decoded, InvalidRecord):
                return _broken(record, decoded, role)
            return identify(decoded, record, role.tenant)
        case Kind.CHANGE:
            change = decode(TicketChangeRequested, value, record.headers)
            if isinstance(change, InvalidRecord):
                return _broken(record, change, role)
            return identify_change(change, record, role.tenant)
        case _:
            return _party(record, role)


def identify(decoded: Decoded[TicketRequested], record: Record, bound: str | None) -> Request:
    """Who this request is: by its request id, its CloudEvents id, or the record itself."""
    message, envelope = decoded.message, decoded.envelope
    tenant_id = message.tenant_id if bound is None else bound
    key = _key(Kind.REQUEST, tenant_id, message.request_id, envelope, record)
    content = crc32(record.value or b"")
    return Request(message, envelope, record, tenant_id, key, ticket_id(key), content)


def identify_change(
    decoded: Decoded[TicketChangeRequested], record: Record, bound: str | None
) -> Change:
    """Who this change is, likewise: the same id means another thing there."""
    message, envelope = decoded.message, decoded.envelope
    tenant_id = message.tenant_id if bound is None else bound
    key = _key(Kind.CHANGE, tenant_id, message.request_id, envelope, record)
    content = crc32(record.value or b"")
    return Change(message, envelope, record, tenant_id, key, message.ticket_id, content)


def _key(
    kind: Kind, tenant_id: str, request_id: str | None, envelope: Envelope, record: Record
) -> str:
    if request_id is not None:
        return request_key(kind, "request_id", tenant_id, request_id)
    if envelope.identity is not None:
        return request_key(kind, "cloudevent", tenant_id, *envelope.identity)
    place = (record.topic, record.partition, record.offset, record.timestamp)
    return request_key(kind, "record", tenant_id, *place)


def _party(record: Record, role: TopicRole) -> Entry:
    model = CustomerChanged if role.kind == "customer" else PartnerChanged
    decoded = decode_party(model, record.key, record.value, record.headers)
    if isinstance(decoded, InvalidRecord):
        return _broken(record, decoded, role)
    stamped_at = _instant(record.timestamp)
    if isinstance(decoded, PartyDeleted):
        return PartyChange(record, role.kind, decoded.id, None, stamped_at, role.tenant)
    message = decoded.message
    if role.tenant not in {None, message.tenant_id}:
        return _other_tenant(record, role, message)
    changed_at = message.updated_at or stamped_at
    state = PartyState(
        id=message.id,
        tenant_id=message.tenant_id,
        external_id=message.external_id,
        name=message.name,
        status=message.status,
        tier=message.tier,
        updated_at=changed_at,
    )
    return PartyChange(record, role.kind, state.id, state, changed_at, state.tenant_id)


def _other_tenant(record: Record, role: TopicRole, message: PartyChanged) -> Broken:
    return Broken(
        record,
        "TenantMismatch",
        f"tenant_id: is {message.tenant_id}, but the topic is bound to {role.tenant}; expected "
        f"{role.tenant}",
        "tenant_id",
        role.tenant,
    )


def _instant(milliseconds: int) -> datetime:
    """A record's own time; a producer may have set any number."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _broken(record: Record, invalid: InvalidRecord, role: TopicRole) -> Broken:
    return Broken(
        record,
        invalid.error_class,
        invalid.message,
        invalid.path,
        role.tenant or invalid.tenant_id,
        invalid.request_id,
        invalid.source,
    )
