"""The open time of one year, as a table that is searched by halving.

All times are whole microseconds since 1970 in UTC.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple, Self


class Year(NamedTuple):
    """The open intervals of a year: apart, in order. worked: the open time until each one's end."""

    opens: "array[int]"
    closes: "array[int]"
    worked: "array[int]"

    @classmethod
    def of(cls, intervals: Iterable[tuple[int, int]], start: int, end: int) -> Self:
        """The union of the intervals, as far as it lies between two instants. One may be empty."""
        table = cls(array("q"), array("q"), array("q"))
        opens, closes, worked = table
        for opened, closed in sorted(intervals):
            begin, stop = max(opened, start), min(closed, end)
            if begin >= stop:
                continue
            if not closes or begin > closes[-1]:
                opens.append(begin)
                closes.append(stop)
                worked.append(worked[-1] + stop - begin if worked else stop - begin)
            elif stop > closes[-1]:
                worked[-1] += stop - closes[-1]
                closes[-1] = stop
        return table

    @property
    def total(self) -> int:
        return self.worked[-1] if self.worked else 0

    def until(self, at: int) -> int:
        """The open time of this year until an instant."""
        index = bisect_right(self.closes, at)
        worked = self.worked[index - 1] if index else 0
        if index < len(self.opens) and self.opens[index] < at:
            worked += at - self.opens[index]
        return worked
