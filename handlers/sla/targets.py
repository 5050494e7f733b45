"""The default targets (24x7): what applies where a tenant has no policy."""

from datetime import timedelta
from typing import Final, NamedTuple

from schemas.vocabulary import Priority


class Targets(NamedTuple):
    """How long after its creation a ticket must be answered and solved."""

    first_response: timedelta
    resolution: timedelta


DEFAULT_TARGETS: Final = {
    Priority.URGENT: Targets(timedelta(hours=1), timedelta(hours=8)),
    Priority.HIGH: Targets(timedelta(hours=4), timedelta(hours=24)),
    Priority.NORMAL: Targets(timedelta(hours=24), timedelta(hours=72)),
    Priority.LOW: Targets(timedelta(hours=48), timedelta(hours=168)),
}
