from consumer.wording import counted


def test_one_is_singular() -> None:
    assert [counted(count, "request") for count in (0, 1, 2)] == [
        "0 requests",
        "1 request",
        "2 requests",
    ]
