"""The service's own judgement of a request, without any server."""

from dataclasses import dataclass
from typing import Any

from consumer.cli.unknown_fields import UnknownField, unknown_fields
from schemas.decode import InvalidRecord, decode
from schemas.ticket_requested import TicketRequested


@dataclass(frozen=True, slots=True)
class Verdict:
    """error: why it would be a dead letter, or None. unknown: fields that nobody would read."""

    error: InvalidRecord | None
    unknown: tuple[UnknownField, ...]

    @property
    def is_valid(self) -> bool:
        return self.error is None

    @property
    def summary(self) -> str:
        return "valid" if self.error is None else f"invalid: {self.error.message}"

    def as_json(self) -> dict[str, Any]:
        return {
            "valid": self.is_valid,
            "path": self.error.path if self.error else None,
            "message": self.error.message if self.error else None,
            "unknown_fields": self.unknown,
        }


def judge(value: bytes) -> Verdict:
    """Decode it as a record without headers would be."""
    decoded = decode(TicketRequested, value, ())
    if isinstance(decoded, InvalidRecord):
        return Verdict(decoded, ())
    return Verdict(None, tuple(unknown_fields(decoded.message)))
