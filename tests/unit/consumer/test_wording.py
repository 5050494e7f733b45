from consumer.wording import counted


def test_one_is_singular() -> None:
    assert [counted(count, "request") for count in (0, 1, 2)] == [
        "0 requests",
        "1 request",
        "2 requests",
    ]


def test_a_plural_of_its_own_is_given() -> None:
    assert [counted(count, "policy", "policies") for count in (1, 2)] == ["1 policy", "2 policies"]
