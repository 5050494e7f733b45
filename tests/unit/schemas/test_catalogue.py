import pytest
from pydantic import TypeAdapter

from schemas.catalogue import OUTBOUND_TOPICS, TOPIC_OF_CE_TYPE, TOPICS, Direction, Topic
from schemas.fact import Fact
from schemas.message import Message


def test_a_topic_stands_once() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(names) == len(set(names)) == 11


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_inbound_topics_carry_messages_and_outbound_ones_facts(topic: Topic) -> None:
    is_inbound = topic.direction is Direction.IN
    assert issubclass(topic.model, Message if is_inbound else Fact)
    assert topic.has_dead_letters is is_inbound
    assert bool(topic.ce_types) is not is_inbound
    assert topic.description.endswith(".")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_contract_can_be_given_as_a_json_schema(topic: Topic) -> None:
    form = topic.model.wire_form() if issubclass(topic.model, Message) else topic.model
    schema = TypeAdapter(form).json_schema()
    assert schema.get("properties") or schema["discriminator"]["propertyName"] == "change"


def test_only_the_state_of_parties_is_compacted() -> None:
    assert {topic.name for topic in TOPICS if topic.is_compacted} == {
        *("customer.changed", "partner.changed")
    }


def test_every_type_of_fact_has_its_topic() -> None:
    family = {ce_type for ce_type, topic in TOPIC_OF_CE_TYPE.items() if topic == "ticket.updated"}
    assert family == {
        *("ticket.message_added", "ticket.status_changed", "ticket.assigned", "ticket.rated"),
        *("ticket.priority_changed", "ticket.fields_changed", "ticket.reopened"),
    }
    assert set(TOPIC_OF_CE_TYPE.values()) == OUTBOUND_TOPICS
    for ce_type in TOPIC_OF_CE_TYPE.keys() - family:
        assert TOPIC_OF_CE_TYPE[ce_type] == ce_type
