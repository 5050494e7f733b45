"""Numbers in sentences."""


def counted(count: int, noun: str) -> str:
    """1 request, 2 requests: for nouns whose plural only adds an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
