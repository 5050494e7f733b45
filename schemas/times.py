"""Times on the wire: RFC 3339 with an offset, and nothing that PostgreSQL could refuse later."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

# RFC 3339, less what no timestamptz column takes and gives back as a Python datetime: offsets of
# 16 hours and more, a fraction on a leap second, and what leaves the years 1 to 9999 in UTC.
_FOURTH: Final = "(?:0[48]|[2468][048]|[13579][26])"
_LEAP_DAY: Final = f"(?:[0-9]{{2}}{_FOURTH}|{_FOURTH}00)-02-29"
_DAY: Final = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_YEAR: Final = (
    "(?:[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8]|0[1-9][0-9]{2}|00[1-9][0-9]|000[2-9])"
)
_MINUTE: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_SECOND: Final = r"(?:[0-5][0-9](?:\.[0-9]{1,9})?|60(?:\.0{1,9})?)"
_OFFSET: Final = "(?:[Zz]|[+-](?:0[0-9]|1[0-5]):[0-5][0-9])"
_OUTERMOST: Final = (
    rf"(?:0001|9999)-{_DAY}[Tt ]{_MINUTE}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:[Zz]|[+-]00:00)"
)
RFC3339: Final = (
    f"^(?:(?:{_YEAR}-{_DAY}|{_LEAP_DAY})[Tt ]{_MINUTE}:{_SECOND}{_OFFSET}|{_OUTERMOST})$"
)

_FORM: Final = "an RFC 3339 time with an offset, such as 2026-11-24T09:30:00+01:00"

Time = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, pattern=RFC3339),
    Field(description=_FORM),
]
"""The time as it was sent: text that a timestamptz column takes."""


def _instant(text: str) -> datetime:
    upper = text.upper()
    if upper[17:19] == "60":  # a leap second; as in PostgreSQL, the next minute's first
        before = datetime.fromisoformat(f"{upper[:17]}59{upper[19:]}")
        return (before + timedelta(seconds=1)).astimezone(UTC)
    return datetime.fromisoformat(upper).astimezone(UTC)


class _AsInstant:
    """Annotation: a Time, as a datetime."""

    def __get_pydantic_core_schema__(
        self,
        _: Any,  # noqa: ANN401  pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_instant, handler.generate_schema(Time))


Instant = Annotated[datetime, _AsInstant(), Field(description=_FORM)]
"""The time as an aware datetime in UTC."""
