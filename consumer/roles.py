"""What one process can be: any set of these, all of them by default."""

from enum import StrEnum


class Role(StrEnum):
    """One long-lived duty; `ticketing run --role` takes these words."""

    CONSUMER = "consumer"
    RELAY = "relay"
    TIMERS = "timers"


ALL_ROLES = frozenset(Role)
