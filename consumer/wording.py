"""Numbers in sentences."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """1 request, 2 requests. plural: where that is not the noun with an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"
