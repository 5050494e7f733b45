"""What a Kafka container is told, without a Docker daemon."""

from devstack.choice import KAFKA_VERSION, POSTGRES_VERSION
from devstack.containers import KAFKA_IMAGE, POSTGRES_IMAGE, kafka_environment


def test_server_properties_become_the_images_variables() -> None:
    told = kafka_environment(18_000, {"message.max.bytes": "42"})
    assert told["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert told["KAFKA_MESSAGE_MAX_BYTES"] == "42"


def test_the_broker_is_found_where_it_says_it_is() -> None:
    told = kafka_environment(18_000, {})
    assert told["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:18000"
    assert told["KAFKA_LISTENERS"].startswith("PLAINTEXT://0.0.0.0:18000,")


def test_the_images_are_of_the_versions_that_the_choice_names() -> None:
    assert KAFKA_IMAGE.endswith(f":{KAFKA_VERSION}")
    assert POSTGRES_IMAGE.partition(":")[2].startswith(f"{POSTGRES_VERSION}.")
