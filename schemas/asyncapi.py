"""The contract as an AsyncAPI 3.0 document, as this program sees it: it receives and it sends.

Source: asyncapi.com/docs/reference/specification/v3.0.0, Kafka bindings 0.5.0. AsyncAPI's own
schemas are JSON Schema draft 07: references stand alone in it, and all definitions in one place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.catalogue import TOPICS, Direction, Topic
from schemas.header_schemas import (
    SENDERS_HEADERS,
    dead_letter_header_schema,
    fact_header_schema,
)
from schemas.json_schema import CONTRACTS, DIFFERENCES, Contract, schema_of

Document = dict[str, Any]

BINDING: Final = "0.5.0"
DEAD_LETTERS: Final = ".dlq"
GROUP: Final = "isp-ticketing"
"""The consumer group of who sets no other."""

ABOUT: Final = """\
Upstream services publish requests for tickets, and changes of them; this program decides them and \
publishes what became of them. Operations are named as it sees them: a service that asks for a \
ticket sends to the channel from which this program receives.

`TICKETING_TOPIC_PREFIX` is put before every address. Values are JSON in UTF-8. What comes in may \
also be a CloudEvent in structured mode (`content-type: application/cloudevents+json`). Unknown \
fields are ignored, here and by subscribers.

What the schemas can't say:
"""


class Example(NamedTuple):
    """A record, as far as a reader cares. headers: as text."""

    key: str
    headers: Mapping[str, str]
    payload: Any


Examples = Mapping[str, Sequence[Example]]
"""By ce_type, inbound topic or dead letter topic."""


def asyncapi(version: str, examples: Examples) -> Document:
    """The document. version: this program's."""
    schemas: Document = {}
    messages = {each.name: _message(each, examples, schemas) for each in CONTRACTS}
    for topic in TOPICS:
        if topic.has_dead_letters:
            name = topic.name + DEAD_LETTERS
            messages[name] = _dead_letter(topic, examples.get(name, ()))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "ISP ticketing",
            "version": version,
            "description": ABOUT + "\n".join(f"- {each}" for each in ("", *DIFFERENCES) if each),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": dict(channel for topic in TOPICS for channel in _channels(topic)),
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {"messages": messages, "schemas": schemas},
    }


def _message(contract: Contract, examples: Examples, schemas: Document) -> Document:
    """A message of its own name; the definitions that it needs go into schemas."""
    topic = contract.topic
    is_ours = topic.direction is Direction.OUT
    schema = schema_of(contract)
    for name, definition in schema.pop("$defs", {}).items():
        schemas[name] = _as_draft_07(definition)
    for name in ("$schema", "$id", "title", "x-direction", "x-topic"):
        del schema[name]
    schemas[contract.name] = _as_draft_07(schema)
    return {
        "name": contract.name,
        "title": contract.name,
        "summary": topic.description,
        "contentType": "application/json",
        "headers": fact_header_schema(contract) if is_ours else SENDERS_HEADERS,
        "payload": {"$ref": f"#/components/schemas/{contract.name}"},
        "bindings": {"kafka": {"key": _key(topic), "bindingVersion": BINDING}},
        "examples": _examples(examples.get(contract.name, ())),
        "x-dataschema": contract.id,
    }


def _dead_letter(topic: Topic, examples: Sequence[Example]) -> Document:
    return {
        "name": topic.name + DEAD_LETTERS,
        "title": topic.name + DEAD_LETTERS,
        "summary": f"A record of {topic.name} that could not be handled, byte for byte.",
        "contentType": "application/octet-stream",
        "headers": dead_letter_header_schema(),
        "payload": {"description": "What was sent: JSON, or what was none; null for a tombstone."},
        "bindings": {
            "kafka": {
                "key": {"description": "The key that the record had."},
                "bindingVersion": BINDING,
            }
        },
        "examples": _examples(examples),
    }


def _key(topic: Topic) -> Document:
    if topic.direction is Direction.OUT:
        return {"type": "string", "format": "uuid", "description": topic.key}
    return {"type": "string", "description": topic.key}


def _examples(examples: Sequence[Example]) -> list[Document]:
    return [
        {
            "name": f"example{number}",
            "summary": f"Key: {each.key}",
            "headers": dict(each.headers),
            "payload": each.payload,
        }
        for number, each in enumerate(examples, 1)
    ]


def _channels(topic: Topic) -> Sequence[tuple[str, Document]]:
    """The topic's channel, and that of its dead letters."""
    names = topic.ce_types or (topic.name,)
    kept = ["compact"] if topic.is_compacted else ["delete"]
    channels = [(topic.name, _channel(topic.name, topic.description, names, kept))]
    if topic.has_dead_letters:
        name = topic.name + DEAD_LETTERS
        about = f"Records of {topic.name} that could not be handled."
        channels.append((name, _channel(name, about, (name,), ["delete"])))
    return channels


def _channel(name: str, about: str, messages: Sequence[str], kept: Sequence[str]) -> Document:
    return {
        "address": name,
        "description": about,
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
        "bindings": {
            "kafka": {
                "topic": name,
                "topicConfiguration": {"cleanup.policy": list(kept)},
                "bindingVersion": BINDING,
            }
        },
    }


def _operations(topic: Topic) -> Sequence[tuple[str, Document]]:
    """What this program does with the topic's channel, and with that of its dead letters."""
    if topic.direction is Direction.OUT:
        return [_operation("send", topic.name, topic.description)]
    operations = [_operation("receive", topic.name, topic.description)]
    if topic.has_dead_letters:
        name = topic.name + DEAD_LETTERS
        operations.append(_operation("send", name, "Put aside what can't be handled."))
    return operations


def _operation(action: str, channel: str, about: str) -> tuple[str, Document]:
    operation: Document = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": about,
    }
    if action == "receive":
        group = {"type": "string", "default": GROUP, "description": "TICKETING_GROUP_ID"}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return f"{action}-{channel}".replace(".", "-").replace("_", "-"), operation


def _as_draft_07(schema: Any) -> Any:  # noqa: ANN401  any part of a schema
    """The same as AsyncAPI 3.0 has it: nothing beside a reference, a discriminator by its name."""
    match schema:
        case {"$ref": str(reference), **beside}:
            name = reference.removeprefix("#/$defs/")
            meant = {"$ref": f"#/components/schemas/{name}"}
            return {"allOf": [meant], **beside} if beside else meant
        case {"discriminator": {"propertyName": str(name)}, **rest}:
            return {"discriminator": name, **_as_draft_07(rest)}
        case dict():
            return {name: _as_draft_07(each) for name, each in schema.items()}
        case list():
            return [_as_draft_07(each) for each in schema]
        case _:
            return schema
