"""What operators see of a batch: counts by topic and outcome, a line for it and each refusal."""

from collections import Counter
from collections.abc import Sequence

import structlog

from consumer.metrics import Metrics
from handlers.batch import Broken, Handled
from handlers.outcomes import Duplicate, Rejected, outcome_of
from handlers.parties import Moved
from schemas.vocabulary import Outcome

log = structlog.get_logger()


class Telling:
    """Tells what was committed, never before."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def split(self) -> None:
        """A batch was halved to find a bad record."""
        self._metrics.bisections.inc()

    def tell(self, records: int, handled: Sequence[Handled], seconds: float) -> None:
        """Count and log what became of a batch: one line for it, one per refused record."""
        counts = outcomes_by_topic(handled)
        for part in handled:
            self._tell_unknown_fields(part)
            for broken in part.dead:
                self._tell_broken(broken)
            self._tell_refusals(part)
        for (topic, outcome), number in counts.items():
            self._metrics.records.labels(topic, outcome).inc(number)
        self._metrics.batch_records.observe(records)
        self._metrics.step_seconds.labels("settle").observe(seconds)
        totals: Counter[str] = Counter()
        for (_, outcome), number in counts.items():
            totals[outcome] += number
        log.info(
            "batch.committed",
            records=records,
            transactions=len(handled),
            seconds=round(seconds, 4),
            **totals,
        )

    def _tell_unknown_fields(self, handled: Handled) -> None:
        counts: Counter[str] = Counter()
        for decision in handled.decisions:
            request = decision.request
            if request.message.model_extra and request.record is not None:
                counts[request.record.topic] += len(request.message.model_extra)
        for topic, number in counts.items():
            self._metrics.unknown_fields.labels(topic).inc(number)

    def _tell_refusals(self, handled: Handled) -> None:
        for decision in handled.decisions:
            match decision:
                case Rejected(request, code, _):
                    self._metrics.rejections.labels(code).inc()
                    log.info(
                        "request.rejected",
                        code=code,
                        tenant_id=request.tenant_id,
                        request_id=request.message.request_id,
                        **_place(request.record),
                    )
                case Duplicate(request, True):
                    record = request.record
                    topic = "" if record is None else record.topic
                    self._metrics.differing_duplicates.labels(topic).inc()
                    log.warning(
                        "duplicate.differs",
                        tenant_id=request.tenant_id,
                        request_id=request.message.request_id,
                        **_place(record),
                    )
                case _:
                    pass

    def _tell_broken(self, broken: Broken) -> None:
        self._metrics.dead_letters.labels(broken.record.topic, broken.error_class).inc()
        log.warning(
            "record.dead_lettered",
            error_class=broken.error_class,
            path=broken.path,
            tenant_id=broken.tenant_id,
            **_place(broken.record),
        )


def outcomes_by_topic(handled: Sequence[Handled]) -> Counter[tuple[str, Outcome]]:
    """How many records of each topic ended how; a record without a topic has the name "" for it."""
    counts: Counter[tuple[str, Outcome]] = Counter()
    for part in handled:
        _count(part, counts)
    return counts


def _count(handled: Handled, counts: Counter[tuple[str, Outcome]]) -> None:
    for decision in handled.decisions:
        record = decision.request.record
        counts["" if record is None else record.topic, outcome_of(decision)] += 1
    for change, outcome in handled.parties:
        if change.record is not None and not isinstance(outcome, Moved):
            counts[change.record.topic, outcome] += 1
    for broken in handled.dead:
        counts[broken.record.topic, Outcome.DEAD_LETTERED] += 1
    for broken in handled.repeated:
        counts[broken.record.topic, Outcome.DUPLICATE] += 1


def _place(record: object) -> dict[str, object]:
    names = ("topic", "partition", "offset")
    return {name: getattr(record, name, None) for name in names}
