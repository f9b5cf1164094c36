"""What the model says in one turn, as it grows: text, and calls of tools piece by piece.

The first of it is told at once. What follows gathers for a moment, and while a transaction tells some of it, so that
a fast model costs few transactions. What has not been told when the turn ends is told by what concludes it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, Protocol

from capably.threads.bodies import MAX_TEXT
from capably.threads.objects import Json
from capably.threads.responder import CallPiece, ModelError
from capably.threads.toolbox import Offered

MAX_CALLS = 128  # of one turn
GATHER = 0.02  # seconds
Word = str | Json  # some more text, or what is new of a call, as an event tells it
Kind = Literal["message_creation", "tool_calls"]  # the type of the step that a word belongs to


def kind_of(word: Word) -> Kind:
    """The type of the step that a word belongs to."""
    return "message_creation" if isinstance(word, str) else "tool_calls"


class Tell(Protocol):
    """Puts words into the log of the run, behind those of earlier times."""

    def __call__(self, words: Sequence[Word], *, begun: AbstractSet[Kind], text: str) -> Awaitable[None]:
        """Tell words; `begun` are the kinds told before, `text` is all the text said before the first call."""
        ...


@dataclass(slots=True)
class _Call:
    """A call of a tool that is being written. It is told once its name is known, which says whose tool it is."""

    place: int
    id: str
    name: str = ""
    arguments: str = ""

    def details(self, offered: Offered) -> Json:
        """The call as a step's details tell it, with what it has so far."""
        tool = offered.tool(self.name)
        if tool is None:
            function = {"name": self.name, "arguments": self.arguments, "output": None}
            return {"id": self.id, "type": "function", "function": function}
        return {
            "id": self.id,
            "type": "mcp",
            "server_label": tool.server_label,
            "name": tool.name,
            "arguments": self.arguments,
            "output": None,
            "called": self.name,
        }

    def begun(self, offered: Offered) -> Json:
        """The first word about the call: whose tool it is, and the arguments so far."""
        told = {name: value for name, value in self.details(offered).items() if name != "called"}
        return {"index": self.place, **told}

    def more(self, arguments: str, offered: Offered) -> Json:
        """A later word about the call: some more of its arguments."""
        if offered.tool(self.name) is None:
            return {"index": self.place, "type": "function", "function": {"arguments": arguments}}
        return {"index": self.place, "type": "mcp", "arguments": arguments}


class Saying:
    """One turn of the model.

    Args:
        tell: puts words into the run's log.
        offered: the tools of servers that the model may call.
        turn: the number of the turn, for calls that come without an id.
    """

    def __init__(self, tell: Tell, offered: Offered, turn: int) -> None:
        self._tell = tell
        self._offered = offered
        self._turn = turn
        self._said: list[str] = []
        self._before: str | None = None
        self._length = 0
        self._calls: dict[int, _Call] = {}
        self._untold: list[Word] = []
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._stopped = False
        self.begun: AbstractSet[Kind] = frozenset()  # the kinds of words in the log

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._said)

    @property
    def before(self) -> str:
        """The text said before the first call, empty if there is none."""
        return self._before or ""

    @property
    def untold(self) -> Sequence[Word]:
        """The words that are not in the log."""
        return tuple(self._untold)

    @property
    def complete(self) -> bool:
        """Whether no text has come since the first call."""
        return self._before is not None and len(self._before) == self._length

    def calls(self) -> list[Json]:
        """All calls, as a step's details tell them.

        Raises:
            ModelError: if one has no name.
        """
        if not all(call.name for call in self._calls.values()):
            raise ModelError("server_error", "The model made a call without saying what it calls.")
        return [call.details(self._offered) for call in self._calls.values()]

    def say(self, text: str) -> None:
        """Add text.

        Raises:
            ModelError: if it is more than a message may have.
        """
        self._said.append(text)
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise ModelError("server_error", f"The reply is longer than a message may be ({MAX_TEXT} characters).")
        self._add(text)

    def call(self, piece: CallPiece) -> None:
        """Add a piece of a call.

        Raises:
            ModelError: if there are too many calls, or one has arguments that are too long.
        """
        if piece.index not in self._calls:
            place = len(self._calls)
            self._calls[piece.index] = _Call(place, piece.id or f"call_{self._turn}_{place}")
        call = self._calls[piece.index]
        call.arguments += piece.arguments
        if len(self._calls) > MAX_CALLS or len(call.arguments) > MAX_TEXT:
            raise ModelError("server_error", "The model made too many calls in one turn, or with too long arguments.")
        if not call.name and piece.name:
            call.name = piece.name
            self._before = self.text if self._before is None else self._before
            self._add(call.begun(self._offered))
        elif call.name and piece.arguments:
            self._add(call.more(piece.arguments, self._offered))

    def _add(self, word: Word) -> None:
        if self._untold and isinstance(word, str) and isinstance(last := self._untold[-1], str):
            self._untold[-1] = last + word
        else:
            self._untold.append(word)
        self._news.set()

    async def stop(self, telling: "asyncio.Task[None]") -> None:
        """Let what is being told come into the log, and tell no more."""
        self._stopped = True
        await self.told(telling)

    async def told(self, telling: "asyncio.Task[None]") -> None:
        """Until all that was said is in the log."""
        self._over.set()
        self._news.set()
        await telling

    async def keep_telling(self) -> None:
        """Tell what is said, until it is over."""
        while True:
            await self._news.wait()
            self._news.clear()
            words = [] if self._stopped else self._untold
            if words:
                self._untold = []
                await self._tell(words, begun=self.begun, text=self.before)
                self.begun |= {kind_of(word) for word in words}
            elif self._over.is_set():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), GATHER)
            if self._over.is_set():
                self._news.set()
