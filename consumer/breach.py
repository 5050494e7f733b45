"""What can be wrong: one kind for each part of the promise, and a sentence for each finding."""

from enum import StrEnum
from typing import NamedTuple


class Breach(StrEnum):
    """How the promise was broken."""

    NO_OUTCOME = "no_outcome"
    SEVERAL_OUTCOMES = "several_outcomes"
    NOT_BORNE_OUT = "not_borne_out"
    NO_SUCH_RECORD = "no_such_record"
    NO_TICKET = "no_ticket"
    OTHER_BYTES = "other_bytes"
    OTHER_TENANT = "other_tenant"
    NOT_COMMITTED = "not_committed"
    DIFFERS = "differs"
    NEVER_PUBLISHED = "never_published"
    OUT_OF_ORDER = "out_of_order"
    GAP = "gap"
    LOOSE_END = "loose_end"


MEANINGS = {
    Breach.NO_OUTCOME: "Records without a recorded outcome",
    Breach.SEVERAL_OUTCOMES: "Records with more than one outcome",
    Breach.NOT_BORNE_OUT: "Dead letters whose new outcome nothing bears out",
    Breach.NO_SUCH_RECORD: "Outcomes of records that do not exist",
    Breach.NO_TICKET: "Outcomes without their ticket",
    Breach.OTHER_BYTES: "Dead letters that are not what came in",
    Breach.OTHER_TENANT: "What belongs to one tenant and is told as another's",
    Breach.NOT_COMMITTED: "Published, but not in the database",
    Breach.DIFFERS: "Published otherwise than committed",
    Breach.NEVER_PUBLISHED: "Committed and never published",
    Breach.OUT_OF_ORDER: "First occurrences out of their order",
    Breach.GAP: "Gaps in tickets' sequences",
    Breach.LOOSE_END: "Rows that do not fit together",
}


class Violation(NamedTuple):
    """One finding."""

    kind: Breach
    sentence: str
