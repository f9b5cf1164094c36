"""Every provider by the scheme of its locations, and reading the binds of a document."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from capably.diagnostics import Diagnostic, error
from capably.imports import local_path
from capably.model.capability import Bind
from capably.plan.variables import scheme_of
from capably.providers.files import read_file
from capably.providers.provider import Place, Provider, ProviderError

PROVIDERS: dict[str, Provider] = {"file": read_file}


def _provider(scheme: str) -> Provider | None:
    if scheme == "vault":
        from capably.providers.vault import read_vault  # noqa: PLC0415 -- it brings the HTTP client

        return read_vault
    return PROVIDERS.get(scheme)


def _is_set(bind: Bind, sets: Collection[str]) -> bool:
    return all(key in sets or f"{bind.namespace}.{key}" in sets for key in bind.keys or {})


def bind_files(binds: Iterable[Bind]) -> Iterator[Path]:
    """The files in which binds find their values, whether they are there or not."""
    for bind in binds:
        if bind.location is not None and scheme_of(bind.location) == "file":
            path = local_path(bind.location, Path(bind.node.span.file))
            if path is not None:
                yield path


async def read_binds(
    binds: Iterable[Bind], environ: Mapping[str, str], sets: Collection[str] = ()
) -> tuple[dict[str, str], list[Diagnostic]]:
    """The values of every bind that has a location, by ``namespace.KEY``, and what could not be read.

    A place is not asked for a bind whose keys are all among ``sets``, the names that ``--set`` gives.
    """
    values: dict[str, str] = {}
    found: list[Diagnostic] = []
    for bind in binds:
        provider = _provider(scheme_of(bind.location)) if bind.location is not None else None
        if provider is None or bind.location is None or _is_set(bind, sets):
            continue
        place = Place(bind.location, Path(bind.node.span.file), environ)
        try:
            held = await provider(place)
        except ProviderError as problem:
            message = f"the values of `{bind.namespace}` cannot be read: {problem}"
            found.append(error("VAR004", message, bind.value_span("location"), "give them with --set to do without"))
            continue
        values |= {f"{bind.namespace}.{key}": held[name] for key, name in (bind.keys or {}).items() if held.get(name)}
    return values, found
