"""The tokens of a `.proto` file, and what its grammar asks of them."""

import re
from typing import NoReturn

from capably.payload.contract import PayloadError


class Tokens:
    """A `.proto` text, read token by token; its end is the token ``""``. What does not fit raises `PayloadError`."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = [(match[1], match.start(1)) for match in _TOKEN.finditer(text) if match[1]]
        self.tokens = [*found, ("", len(text))]
        self.at = 0

    @property
    def next(self) -> str:
        """The token to be read."""
        return self.tokens[self.at][0]

    def read(self) -> str:
        """Read a token."""
        token = self.next
        if not token:
            self.fail("the file ends in the middle of a declaration")
        self.at += 1
        return token

    def skip(self, *tokens: str) -> bool:
        """Read the next token if it is one of these."""
        is_next = self.next in tokens
        self.at += is_next
        return is_next

    def expect(self, token: str) -> None:
        """Read the token that has to stand here."""
        if not self.skip(token):
            self.wanted(f"`{token}`")

    def name(self) -> str:
        """Read a name, possibly with dots."""
        return self.read() if _NAME.fullmatch(self.next) else self.wanted("a name")

    def number(self) -> int:
        """Read a whole number."""
        sign = -1 if self.skip("-") else 1
        if not _NUMBER.fullmatch(self.next):
            self.wanted("a whole number")
        token = self.read().lower()
        base = 16 if token.startswith("0x") else 8 if token.startswith("0") else 10
        return sign * int(token, base)

    def literal(self) -> str:
        """Read a string, which may be written in pieces."""
        if self.next[:1] not in _QUOTES:
            self.wanted("a string")
        pieces = []
        while self.next[:1] in _QUOTES:
            pieces.append(self.read()[1:-1])
        return "".join(pieces)

    def skip_statement(self) -> None:
        """Read up to the semicolon, or over the braces that stand instead of it."""
        depth = 0
        while True:
            word = self.read()
            depth += (word in _OPENING) - (word in _CLOSING)
            if depth <= 0 and word in {";", "}"}:
                return

    def value(self) -> str:
        """Read the value of an option: up to the comma, bracket or semicolon behind it."""
        found, depth = [], 0
        while depth or self.next not in _VALUE_ENDS:
            token = self.read()
            depth += (token in _OPENING) - (token in _CLOSING)
            found.append(token)
        return "".join(found)

    def wanted(self, what: str) -> NoReturn:
        """Say what has to stand here."""
        self.fail(f"{what} is expected before {f'`{self.next[:40]}`' if self.next else 'the end'}")

    def fail(self, what: str) -> NoReturn:
        """Say what is wrong here."""
        line = self.text.count("\n", 0, self.tokens[self.at][1]) + 1
        raise PayloadError(f"this is not a .proto file, at line {line}: {what}")


_OPENING, _CLOSING = frozenset("{[("), frozenset("}])")
_VALUE_ENDS = frozenset({",", "]", ";", ""})
_QUOTES = frozenset({'"', "'"})
_NAME = re.compile(r"\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19}")
_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\s+|(\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|\.?[0-9][\w.]*|"""
    r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|.)""",
    re.ASCII | re.DOTALL,
)
