"""Which topics there should be, from the settings and what is there."""

from typing import Any

from consumer.settings import Settings
from consumer.topic_entry import parse_topic_entries
from consumer.wanted_topics import wanted_topics
from schemas.catalogue import OUTBOUND_TOPICS, TOPICS


def settings(**values: Any) -> Settings:  # noqa: ANN401  settings of any type
    return Settings(_env_file=None, **values)


def names(*existing: str, **values: Any) -> set[str]:  # noqa: ANN401  settings of any type
    return {topic.name for topic in wanted_topics(settings(**values), existing, partitions=4)}


def test_by_default_they_are_the_catalogues() -> None:
    letters = {f"{topic.name}.dlq" for topic in TOPICS if topic.has_dead_letters}
    assert names() == {topic.name for topic in TOPICS} | letters


def test_every_name_has_the_prefix() -> None:
    assert names(topic_prefix="p.") == {f"p.{name}" for name in names()}


def test_compacted_topics_are_the_catalogues() -> None:
    wanted = wanted_topics(settings(), partitions=4)
    compacted = {topic.name for topic in wanted if topic.configs.get("cleanup.policy") == "compact"}
    assert compacted == {topic.name for topic in TOPICS if topic.is_compacted}


def test_dead_letter_topics_take_what_we_read() -> None:
    for topic in wanted_topics(settings(max_record_bytes=123), partitions=4):
        if topic.name.endswith(".dlq"):
            assert int(topic.configs["max.message.bytes"]) > 123
            assert topic.partitions == 1
        else:
            assert topic.partitions == 4


def test_a_patterns_topics_are_others_but_their_dead_letters_ours() -> None:
    pattern = parse_topic_entries(r"^(?P<tenant>[a-z]+)\.requested$")
    found = names("acme.requested", "unrelated", "acme.requested.dlq", request_topics=pattern)
    assert "acme.requested.dlq" in found
    assert "acme.requested" not in found
    assert "unrelated.dlq" not in found
    assert found >= OUTBOUND_TOPICS
