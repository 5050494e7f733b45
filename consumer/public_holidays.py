"""The public holidays of a country, as the optional package `holidays` knows them."""

from collections.abc import Iterable
from datetime import date


class HolidaysNotInstalled(Exception):
    """The package holidays is not installed: pip install 'isp-ticketing[holidays]'."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


class UnknownPlace(Exception):
    """{country} or {subdivision} is no place whose holidays are known."""

    def __init__(self, country: str, subdivision: str | None, reason: str) -> None:
        place = country if subdivision is None else f"{country}, {subdivision}"
        super().__init__(f"The holidays of {place} are not known: {reason}.")


def public_holidays(
    country: str, subdivision: str | None, years: Iterable[int]
) -> list[tuple[date, str]]:
    """Dates and names, in order; country: ISO 3166 code. Raises what is declared above."""
    try:
        import holidays  # noqa: PLC0415  an extra: the rest of the program does without it
    except ModuleNotFoundError:
        raise HolidaysNotInstalled from None
    try:
        found = holidays.country_holidays(country.upper(), subdiv=subdivision, years=years)
    except NotImplementedError as error:
        raise UnknownPlace(country, subdivision, str(error).rstrip(".")) from None
    return sorted(found.items())
