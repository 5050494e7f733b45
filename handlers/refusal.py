"""Why a change is refused: a code of the closed list, and its sentence."""

from typing import NamedTuple

from schemas.vocabulary import REJECTION_MESSAGES, RejectionCode


class Refusal(NamedTuple):
    """What its sender is told."""

    code: RejectionCode
    message: str


def refused(code: RejectionCode, **values: object) -> Refusal:
    """The refusal with this code. values: what its template names."""
    return Refusal(code, REJECTION_MESSAGES[code].format(**values))


def denied(reason: str) -> Refusal:
    """The refusal of somebody who may not do that. reason: a whole sentence."""
    return refused(RejectionCode.ACCESS_DENIED, reason=reason)
