"""Where a control server is looked for, and what is sent to be let in."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from capably.errors import EXIT_USAGE, CommandError

if TYPE_CHECKING:
    from capably.plan.operation import ServerPlan

DEFAULT: Final = "http://127.0.0.1:9090"
VARIABLE: Final = "CAPABLY_CONTROL"
_PUBLISHED: Final = ("IKANOS_CONTROL", "NAFTIKO_CONTROL")
_DOCUMENTS: Final = frozenset({".yaml", ".yml"})
_SCHEMES: Final = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is sent to be let in: headers and parameters of the query, or a user and a password for digest."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    user: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A control server: its URL without a slash at the end, who named it, and what it asks for as far as is known."""

    url: str
    named_by: str
    credentials: Credentials = field(default_factory=Credentials)


def find_place(stated: str | None, environ: Mapping[str, str], folder: Path) -> Place:
    """The control server that is meant: what is stated, else the environment, else a document here, else the default.

    Args:
        stated: what `--control` says: a URL, an address or a document.
        environ: the environment.
        folder: where documents are looked for.

    Raises:
        CommandError: what is stated is none.
    """
    if stated is not None:
        return _stated(stated, "--control")
    if environ.get(VARIABLE):
        return _stated(environ[VARIABLE], VARIABLE)
    for name in _PUBLISHED:
        port, host = environ.get(f"{name}_PORT"), environ.get(f"{name}_ADDRESS")
        if port or host:
            return _stated(f"{host or '127.0.0.1'}:{port or 9090}", f"{name}_PORT and {name}_ADDRESS")
    for path in sorted(item for item in folder.glob("*") if item.suffix in _DOCUMENTS and item.is_file()):
        declared = _declared(path)
        if declared is not None:
            return _of_plan(declared, path.name)
    return Place(DEFAULT, "the default")


def _stated(text: str, named_by: str) -> Place:
    if text.startswith(_SCHEMES):
        return Place(text.rstrip("/"), named_by)
    if Path(text).suffix.lower() in _DOCUMENTS:
        declared = _declared(Path(text))
        if declared is None:
            advice = (
                "add `- type: control` to its `exposes`, or name the address it was served with: --control ADDR:PORT"
            )
            raise CommandError(f"{text} declares no control server that can be opened", advice)
        return _of_plan(declared, text)
    host, colon, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or (colon and not host):
        advice = "write 9090, 127.0.0.1:9090, http://127.0.0.1:9090, or the name of a document"
        raise CommandError(f"{named_by}: {text} is no address of a control server", advice, exit_code=EXIT_USAGE)
    host = host or "127.0.0.1"
    return Place(f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}", named_by)


def _declared(path: Path) -> "ServerPlan | None":
    """The control server of a document, with the secrets that the environment gives."""
    from capably.examine import examine_with
    from capably.plan.variables import Given

    try:
        if "control" not in path.read_text(encoding="utf-8", errors="replace"):
            return None
    except OSError:
        return None
    compiled = asyncio.run(examine_with(path, Given(environ=dict(os.environ)))).compiled
    return compiled.plan.control if compiled is not None else None


def _of_plan(plan: "ServerPlan", name: str) -> Place:
    from capably.plan.gate import DigestGate, SecretGate

    host = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(plan.address, plan.address)  # noqa: S104
    shown = f"[{host}]" if host is not None and ":" in host and "[" not in host else host
    place = Place(f"{'https' if plan.tls is not None else 'http'}://{shown}:{plan.port}", name)
    gate = plan.gate
    if isinstance(gate, DigestGate):
        return replace(place, credentials=Credentials(user=(gate.username, gate.password)))
    if not isinstance(gate, SecretGate):
        return place
    sent = ((gate.name, f"{gate.scheme} {gate.expected.decode()}".strip()),)
    return replace(place, credentials=Credentials(sent) if gate.placement == "header" else Credentials(query=sent))


def credentials_from(
    token: str | None, user: str | None, headers: tuple[tuple[str, str], ...], environ: Mapping[str, str]
) -> Credentials | None:
    """What the options and the environment give; ``None`` when they give nothing.

    Raises:
        CommandError: a file cannot be read, a user has no password.
    """
    token = token or environ.get(f"{VARIABLE}_TOKEN")
    if token:
        return Credentials((("authorization", f"Bearer {_secret(token)}"), *headers))
    if user:
        name, colon, password = user.partition(":")
        password = _secret(password) if colon else environ.get(f"{VARIABLE}_PASSWORD", "")
        if not password:
            message = f"--user {name}: there is no password"
            advice = f"set {VARIABLE}_PASSWORD, or write --user {name}:@FILE"
            raise CommandError(message, advice, exit_code=EXIT_USAGE)
        return Credentials(headers, user=(name, password))
    return Credentials(headers) if headers else None


def _secret(text: str) -> str:
    """A secret, or what the file named after an `@` holds."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise CommandError(f"{text[1:]} cannot be read: {problem}", exit_code=EXIT_USAGE) from None
