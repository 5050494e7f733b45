"""What the published JSON Schemas say of documents, by a validator that is not ours."""

import json
from functools import cache

from jsonschema import Draft202012Validator
from pydantic import BaseModel

from schemas.json_schema import model_schema


@cache
def validator(model: type[BaseModel]) -> Draft202012Validator:
    """The validator of a model's published schema."""
    return Draft202012Validator(model_schema(model))


def fits(model: type[BaseModel], value: bytes) -> bool:
    """Whether the schema lets this JSON pass."""
    return validator(model).is_valid(json.loads(value))
