"""One page of metrics from several workers': every sample keeps its worker as a label.

Nothing is added up here: a sum over the label is one word in a query, and what has no sum (ages,
the lease) stays true. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


def merged(pages: Mapping[str, str | None]) -> bytes:
    """Merge {worker: its page, or None where it gave none} into one page."""
    up = Metric("ticketing_worker_up", "1 where the worker gave its metrics.", "gauge")
    families = {up.name: up}
    for worker, page in pages.items():
        up.add_sample(up.name, {"worker": worker}, 0 if page is None else 1)
        for family in text_string_to_metric_families(page or ""):
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, "worker": worker}, sample.value)
    registry = CollectorRegistry()
    registry.register(_Given(families.values()))
    return generate_latest(registry)


class _Given(Collector):
    """A collector of what is there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
