"""The garbage collector, set for batches.

A batch makes some hundred thousand objects, none of them in a cycle, and lets go of them together.
At Python's defaults the collector walks over all of them again and again: a third of our time.
"""

import gc

ALLOCATIONS = 100_000
"""How many more objects than were freed start a collection of the young ones."""

YOUNG, MIDDLE = 20, 50
"""How many collections of one generation start one of the next."""


def collect_rarely() -> None:
    """Leave what start-up made alone for ever, and look for cycles rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, YOUNG, MIDDLE)
