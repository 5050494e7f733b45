"""Which records a replay is about: everything that was named must fit. Pure."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from handlers.batch import Broken, Entry
from handlers.outcomes import Change, Request
from handlers.parties import PartyChange
from handlers.record import Record

HEX: Final = "hex:"


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """None, and no topic: whatever it is. topics: as they are called on the broker.

    to_offset is the last one, included; until is not. key: the text of the key, or hex:00ff.
    """

    topics: tuple[str, ...] = ()
    partition: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    key: str | None = None
    request_id: str | None = None
    tenant: str | None = None

    @property
    def since_ms(self) -> int | None:
        """The first timestamp of a record that is not before `since`."""
        return None if self.since is None else _milliseconds(self.since)

    @property
    def until_ms(self) -> int | None:
        """The first timestamp of a record that is not before `until`."""
        return None if self.until is None else _milliseconds(self.until)

    def as_json(self) -> dict[str, Any]:
        """What was named, to be kept and read again."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value not in {None, ()}
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The filter that was kept; what else stands there is another's."""
        values = {name: kept[name] for name in cls.__slots__ if name in kept}
        for name in ("since", "until"):
            if name in values:
                values[name] = datetime.fromisoformat(values[name])
        return cls(**values | {"topics": tuple(values.get("topics", ()))})


class Sieve:
    """A filter made ready to be asked for every record."""

    def __init__(self, wanted: ReplayFilter) -> None:
        self._since = -math.inf if wanted.since_ms is None else wanted.since_ms
        self._until = math.inf if wanted.until_ms is None else wanted.until_ms
        self._key = None if wanted.key is None else key_of(wanted.key)
        self._request_id = None if wanted.request_id is None else wanted.request_id.strip()
        self._tenant = wanted.tenant
        request_id = self._request_id or ""
        self._in_value = request_id.encode("utf-8", "surrogatepass")

    def may_fit(self, record: Record) -> bool:
        """Whether a record has to be decoded at all: its timestamp, its key, and its text.

        A text without any escape holds its request id letter by letter.
        """
        if not self._since <= record.timestamp < self._until:
            return False
        if self._key is not None and record.key != self._key:
            return False
        if not self._in_value:
            return True
        value = record.value or b""
        return self._in_value in value or b"\\" in value

    def fits(self, entry: Entry) -> bool:
        """Whether what it asks for fits; a broken record by what could be read of it."""
        match entry:
            case Request() | Change():
                request_id = entry.message.request_id
            case Broken():
                request_id = entry.request_id
            case PartyChange():
                request_id = None
        if self._request_id is not None and request_id != self._request_id:
            return False
        return self._tenant is None or entry.tenant_id == self._tenant


def key_of(text: str) -> bytes:
    """The bytes of a key as an operator writes it. Raises UnusableKey."""
    if not text.startswith(HEX):
        return text.encode()
    try:
        return bytes.fromhex(text.removeprefix(HEX))
    except ValueError:
        raise UnusableKey(text) from None


class UnusableKey(ValueError):
    """{text} is no key."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no key; write its text, or {HEX} and pairs of hexadecimal digits."
        )


def _milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, rounded up: no float, which would be a little off."""
    passed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds
    return -(-microseconds // 1_000)
