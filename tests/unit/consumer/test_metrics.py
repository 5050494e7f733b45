from prometheus_client.parser import text_string_to_metric_families

from consumer.merged_metrics import merged
from consumer.metrics import Metrics


def samples(page: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def labels(**given: str) -> frozenset[tuple[str, str]]:
    return frozenset(given.items())


def test_every_metric_of_ours_has_our_name_and_a_meaning() -> None:
    families = list(Metrics().registry.collect())
    ours = [each for each in families if not each.name.startswith(("process_", "python_"))]

    assert len(ours) > 20
    assert all(each.name.startswith("ticketing_") for each in ours)
    assert all(each.documentation.endswith(".") for each in ours)


def test_two_instances_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.records.labels("ticket.requested", "created").inc(5)

    assert b'outcome="created"' in one.rendered()
    assert b'outcome="created"' not in other.rendered()


def test_the_lag_of_a_partition_that_moved_away_is_forgotten() -> None:
    metrics = Metrics()
    for partition in (1, 2):
        metrics.lag_records.labels("a", partition).set(9)
        metrics.lag_seconds.labels("a", partition).set(9)

    metrics.forget_partition("a", 1)
    metrics.forget_partition("a", 3)

    found = samples(metrics.rendered())
    assert ("ticketing_lag_records", labels(topic="a", partition="1")) not in found
    assert found["ticketing_lag_records", labels(topic="a", partition="2")] == 9
    assert ("ticketing_lag_seconds", labels(topic="a", partition="1")) not in found


def test_the_pages_of_workers_become_one_with_a_label_for_each() -> None:
    one, two = Metrics(), Metrics()
    one.records.labels("ticket.requested", "created").inc(5)
    two.records.labels("ticket.requested", "created").inc(7)
    two.batch_records.observe(3)

    page = merged({"1": one.rendered().decode(), "2": two.rendered().decode(), "3": None})

    found = samples(page)
    name = "ticketing_records_total"
    common = {"topic": "ticket.requested", "outcome": "created"}
    assert found[name, labels(**common, worker="1")] == 5
    assert found[name, labels(**common, worker="2")] == 7
    assert found["ticketing_batch_records_bucket", labels(le="5.0", worker="2")] == 1
    assert found["ticketing_batch_records_count", labels(worker="1")] == 0
    assert [found["ticketing_worker_up", labels(worker=each)] for each in "123"] == [1, 1, 0]
    types = [line for line in page.decode().splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert f"# TYPE {name} counter" in types
