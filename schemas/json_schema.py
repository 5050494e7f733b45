"""JSON Schema 2020-12 of every message, written from the models that check them.

Inbound schemas say what is accepted. Outbound ones say what is published, and are open all the
same: fields may come, and a subscriber that validates must not stumble over them. What no schema
can say stands in DIFFERENCES.
"""

from typing import Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.catalogue import TOPICS, Topic
from schemas.message import Message
from schemas.schema_rules import rules_of
from schemas.text_patterns import MOST_REPEATED, in_any_case, trimmed
from schemas.vocabulary import Word

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VERSION: Final = 1

DIFFERENCES: Final = (
    "Integers are written without a fraction: `1.0` is none for the service.",
    "White space around text of up to more than 1,000 characters counts for a schema alone.",
    "`context` is at most 32,768 bytes long as compact JSON.",
    "Numbers in `context` fit a double. NaN and Infinity are no JSON, wherever they stand.",
    "Text that is kept, `context` included, holds neither U+0000 nor half of a surrogate pair.",
    "A value is UTF-8 without a byte order mark and nests at most 100 levels deep.",
    "A value is at most `TICKETING_MAX_RECORD_BYTES` long.",
    "A customer or partner does not move to another tenant.",
    "What is well-formed may still be refused by a rule (`ticket.rejected`).",
)
"""Where the service refuses what a schema lets pass, or the other way round: one sentence each."""


class Contract(NamedTuple):
    """What one kind of record says. name: its ce_type, or the topic of what comes in."""

    name: str
    topic: Topic

    @property
    def id(self) -> str:
        """The `$id` of its schema; of a fact it is the header `ce_dataschema`."""
        return f"urn:isp-ticketing:{self.name}:{VERSION}"


CONTRACTS: Final = tuple(
    Contract(name, topic) for topic in TOPICS for name in topic.ce_types or (topic.name,)
)


def all_schemas() -> dict[str, JsonSchemaValue]:
    """Every contract's schema by its name, in the order of the catalogue."""
    return {contract.name: schema_of(contract) for contract in CONTRACTS}


def schema_of(contract: Contract) -> JsonSchemaValue:
    """The schema of one kind of record."""
    body = model_schema(contract.topic.model)
    if contract.name == "ticket.message_added":
        body["properties"]["message"] = {"$ref": "#/$defs/MessageAdded"}
        body["required"] = [*body["required"], "message"]
    return {
        "$schema": DIALECT,
        "$id": contract.id,
        "title": contract.name,
        "x-direction": contract.topic.direction.value,
        "x-topic": contract.topic.name,
        **body,
    }


def model_schema(model: type[BaseModel]) -> JsonSchemaValue:
    """The schema of a model's values as they are sent."""
    form = model.wire_form() if issubclass(model, Message) else model
    return TypeAdapter(form).json_schema(by_alias=True, schema_generator=_Schemas)


class _Schemas(GenerateJsonSchema):
    """Pydantic's own generator, made to say what our validators do."""

    schema_dialect = DIALECT

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002  its form is pydantic's
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        made.pop("additionalProperties", None)
        rules = [dict(rule) for rule in rules_of(schema["cls"])]
        return made | ({"allOf": rules} if rules else {})

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        if not schema.get("strip_whitespace"):
            return super().str_schema(schema)
        made: JsonSchemaValue = {"type": "string"}
        given, most = schema.get("pattern"), schema.get("max_length")
        pattern = trimmed(None if given is None else str(given), schema.get("min_length", 0), most)
        if pattern is not None:
            made["pattern"] = pattern
        if most is not None and most > MOST_REPEATED:
            made["maxLength"] = most
        return made

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        words: type[Word] = schema["cls"]
        values = [word.value for word in words]
        spelled = in_any_case([*values, *words.aliases()])
        return {
            "anyOf": [
                {"type": "string", "enum": values},
                {"type": "string", "pattern": spelled, "description": "the same in any case"},
            ]
        }

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:  # of an optional field: it may be absent, no more
            del made["default"]
        return made
