"""What a document says of its scripts: `management.scripting` of a control server."""

from dataclasses import dataclass

from capably.model.fields import OURS, Record, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripting(Record):
    """Whether scripts are run, which, and what they may use up."""

    enabled: bool | None = key("enabled", "Whether script steps are run (true).")
    default_location: str | None = key("defaultLocation", "The folder of scripts whose step names none.")
    default_language: str | None = key("defaultLanguage", "The language of scripts whose step names none.")
    timeout: int | None = key("timeout", "Milliseconds a script may take (60000).")
    statement_limit: int | None = key("statementLimit", "Statements a script may execute (100000).")
    memory_limit: str | None = key("memoryLimit", "What a script may hold in memory (64MiB).", since=OURS)
    allowed_languages: tuple[str, ...] = key("allowedLanguages", "The languages that are run.", default=())
