"""So many a second at most."""

from collections.abc import Callable

from consumer import clock


class Pace:
    """rate: None is as fast as it goes. An outage is not made up for by a burst."""

    def __init__(self, rate: float | None, seconds: Callable[[], float] = clock.seconds) -> None:
        self._rate = rate
        self._seconds = seconds
        self._free_at = seconds()

    def seconds_until(self, number: int) -> float:
        """How long to wait before these go; they count as gone."""
        if self._rate is None:
            return 0.0
        now = self._seconds()
        left = max(0.0, self._free_at - now)
        self._free_at = max(self._free_at, now) + number / self._rate
        return left

    def most_at_once(self, most: int) -> int:
        """So many that a second's worth is not exceeded."""
        return most if self._rate is None else max(1, min(most, int(self._rate)))
