"""Whether contracts still keep what they promised: today's schemas against released ones. Pure.

Inbound, whatever was accepted stays accepted, and means what it meant. Outbound, whatever a
subscriber could rely on stays so. A field that comes is compatible either way: senders' unknown
fields are ignored, and subscribers are told to ignore theirs.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from schemas.catalogue import Direction
from schemas.schema_change import Change, Difference
from schemas.schema_difference import differences

Schema = Mapping[str, Any]

_IN_VAIN: Final = "what was accepted would become a dead letter"
_IGNORED: Final = "what senders say there would be ignored"
_MEANS_ELSE: Final = "what is sent might be judged or meant otherwise"
_UNKNOWN: Final = "subscribers would get what they were never told of"
_RELIED_ON: Final = "subscribers may read it"
_CHANGED: Final = "subscribers would get something else than they were told"

REASONS: Final[Mapping[tuple[Direction, Change], str]] = {
    (Direction.IN, Change.NARROWED): _IN_VAIN,
    (Direction.IN, Change.REMOVED): _IGNORED,
    (Direction.IN, Change.OTHER): _MEANS_ELSE,
    (Direction.OUT, Change.WIDENED): _UNKNOWN,
    (Direction.OUT, Change.REMOVED): _RELIED_ON,
    (Direction.OUT, Change.OTHER): _CHANGED,
}
"""Why a change breaks somebody; what is not here breaks nobody."""


class Finding(NamedTuple):
    """One difference to a released contract. reason: whom it would break; None: nobody.

    contract: its `$id`. path: the field, or empty for the message as a whole.
    """

    contract: str
    path: str
    what: str
    reason: str | None

    @property
    def is_breaking(self) -> bool:
        return self.reason is not None

    @property
    def sentence(self) -> str:
        """What changed, whom it breaks, and the way out."""
        subject = f"{self.contract}: {self.path or 'it'} {self.what}"
        if self.reason is None:
            return f"{subject}."
        return (
            f"{subject}: {self.reason}. Leave it as it is, and put {next_version(self.contract)}"
            " beside it until nobody uses the old one."
        )


def compare(released: Iterable[Schema], current: Iterable[Schema]) -> list[Finding]:
    """Every difference of the current contracts to the released ones, the breaking ones first."""
    now = {schema["$id"]: schema for schema in current}
    findings: list[Finding] = []
    for schema in released:
        contract = schema["$id"]
        direction = Direction(schema["x-direction"])
        successor = now.pop(contract, None)
        if successor is None:
            reason = REASONS[direction, Change.REMOVED]
            findings.append(Finding(contract, "", "is gone", reason))
        else:
            findings += (
                _judged(contract, direction, each) for each in differences(schema, successor)
            )
    findings += (Finding(contract, "", "is new", None) for contract in now)
    return sorted(findings, key=lambda each: not each.is_breaking)


def next_version(contract: str) -> str:
    """The `$id` of the version after this one."""
    name, _, version = contract.rpartition(":")
    return f"{name}:{int(version) + 1}"


def _judged(contract: str, direction: Direction, each: Difference) -> Finding:
    return Finding(contract, each.path, each.what, REASONS.get((direction, each.change)))
