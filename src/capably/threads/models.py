"""Which model answers a run: the one its name is configured for, asked where that says."""

import os
import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from capably.threads.chat_completions import ChatCompletions
from capably.threads.responder import ModelError, OfflineResponder, Part, Prompt, Responder
from capably.threads.settings import ModelSettings

ANY = "*"
LOCAL = "smollm2"
KEYS = {"url", "model", "key_env", "timeout", "local"}


class ModelsFileError(Exception):
    """The file of models cannot be used; the message says why and where."""


class Models(Responder):
    """Answers each prompt by the model it names.

    Args:
        chosen: the configured models; none of them means that the offline responder answers everything.
    """

    def __init__(self, chosen: tuple[ModelSettings, ...]) -> None:
        self._by_name: dict[str, Responder] = {model.name: _responder(model) for model in chosen}
        if not chosen:
            self._by_name[ANY] = OfflineResponder()
        self._stack = AsyncExitStack()
        self.label = _label(self._by_name)

    @property
    def names(self) -> list[str]:
        """The names assistants may give; `*` among them means any."""
        return list(self._by_name)

    async def __aenter__(self) -> Self:
        for responder in self._by_name.values():
            await self._stack.enter_async_context(responder)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def reply(self, prompt: Prompt) -> AsyncGenerator[Part, None]:
        """The reply of the model a prompt names.

        Raises:
            ModelError: if no model has that name, or as the model's responder does.
        """
        responder = self._by_name.get(prompt.model) or self._by_name.get(ANY)
        if responder is None:
            known = ", ".join(self._by_name)
            raise ModelError("invalid_prompt", f"No model '{prompt.model}' is configured here; there are: {known}.")
        async with aclosing(responder.reply(prompt)) as parts:
            async for part in parts:
                yield part


def _label(by_name: Mapping[str, Responder]) -> str:
    if list(by_name) == [ANY]:
        return by_name[ANY].label
    return "; ".join(f"{name}: {responder.label}" for name, responder in by_name.items())


def _responder(model: ModelSettings) -> Responder:
    if model.url is not None:
        return ChatCompletions(model.url, model.model, model.key, model.timeout, model.key_env)
    if model.model == "offline":
        return OfflineResponder()
    from capably.threads.local_llm import LocalModel  # noqa: PLC0415 - needs a compiled extra

    return LocalModel()


def read_models(path: Path) -> tuple[ModelSettings, ...]:
    """The models of a YAML or TOML file, with their keys from the environment.

    The file has one mapping, `models`: from the name assistants give to `url`, and optionally `model` (the name the
    endpoint knows), `key_env` (the environment variable with its key) and `timeout` in seconds; or to `local:
    smollm2` or `local: offline`. The name `*` is for any other.

    Raises:
        ModelsFileError: if the file cannot be read or says something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise ModelsFileError(f"{path} cannot be read: {getattr(failure, 'strerror', None) or failure}") from None
    entries = _parsed(path, text).get("models")
    if not isinstance(entries, dict) or not entries:
        raise ModelsFileError(f"{path} has no mapping 'models' from names to endpoints")
    return tuple(_entry(path, str(name), entry) for name, entry in entries.items())


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - only who has such a file needs it

    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as failure:
        raise ModelsFileError(f"{path} cannot be read: {' '.join(str(failure).split())}") from None
    return found if isinstance(found, dict) else {}


def _entry(path: Path, name: str, entry: Any) -> ModelSettings:
    place = f"{path}: models.{name}"
    if not isinstance(entry, dict):
        raise ModelsFileError(f"{place} is not a mapping with 'url' or 'local'")
    if unknown := entry.keys() - KEYS:
        raise ModelsFileError(f"{place}: '{min(map(str, unknown))}' is not known; there are {', '.join(sorted(KEYS))}")
    if "local" in entry:
        if entry["local"] not in (LOCAL, "offline") or "url" in entry:
            raise ModelsFileError(f"{place}: 'local' is '{LOCAL}' or 'offline', and has no 'url' beside it")
        return ModelSettings(name, None, entry["local"])
    url = entry.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise ModelsFileError(f"{place}: 'url' must start with http:// or https://")
    timeout = entry.get("timeout", 60)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0:
        raise ModelsFileError(f"{place}: 'timeout' is a number of seconds")
    variable = entry.get("key_env")
    key = os.environ.get(str(variable)) if variable else None
    if variable and not key:
        raise ModelsFileError(f"{place}: the environment variable {variable} named by 'key_env' is not set")
    model = entry.get("model")
    return ModelSettings(name, url, None if model is None else str(model), key, str(variable or ""), float(timeout))
