"""What a check found, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """cause: what was found, one sentence. remedy: what to do about it, empty when it is fine."""

    verdict: Verdict
    check: str
    cause: str
    remedy: str = ""


def ok(check: str, cause: str) -> Finding:
    return Finding(Verdict.OK, check, cause)


def failed(check: str, cause: str, remedy: str) -> Finding:
    return Finding(Verdict.FAILED, check, cause, remedy)
