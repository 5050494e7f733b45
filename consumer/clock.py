"""The only reader of this machine's clock: for what people read in logs, and for pauses.

The business takes its times from the database; see `handlers`.
"""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time of day, for people."""
    return datetime.now(UTC)


def seconds() -> float:
    """Return seconds that never go back, for measuring how long something takes."""
    return time.monotonic()
