"""Texts of odd characters, for what must read many texts as it reads each."""

import random
import string

TEXTS = [
    "the key",
    "",
    "  the  key ",
    "Ключ key",
    "請問 BTC",
    "a\tb\nc",
    "???",
    "O'Neil: 2,5 %",
    "e\u0301 é",
    "the key",
]


def drawn(count: int) -> list[str]:
    """Texts of odd characters, spaces of every kind among them."""
    random_ = random.Random(3)
    characters = [
        *string.printable,
        " ",
        " ",
        "\u00a0",
        "\u3000",
        "é",
        "\u0301",
        "ß",
        "ﬁ",
        "請",
        "की",
        "ي",
        "안",
        "🔑",
        "İ",
    ]
    return ["".join(random_.choices(characters, k=random_.randrange(40))) for _ in range(count)]
