"""Values from a file beside the document: YAML, JSON, or ``.env``."""

from io import StringIO
from pathlib import Path

from capably.document import Mapping, parse_document
from capably.imports import local_path
from capably.providers.provider import Place, ProviderError, Values, texts

_MAX_BYTES = 1024 * 1024


async def read_file(place: Place) -> Values:
    """The values of a file; its kind is told by its name.

    Raises:
        ProviderError: there is no such file, or it does not hold names and values.
    """
    path = local_path(place.location, place.document)
    if path is None:
        raise ProviderError(f"`{place.location}` is no local file")
    data = _read(path)
    if path.name.startswith(".env") or path.suffix == ".env":
        return _dotenv(data)
    return _structured(path, data)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as problem:
        raise ProviderError(f"`{path}` cannot be read: {problem.strerror or type(problem).__name__}") from problem
    if len(data) > _MAX_BYTES:
        raise ProviderError(f"`{path}` is larger than 1 MiB")
    return data


def _dotenv(data: bytes) -> Values:
    from dotenv import dotenv_values  # noqa: PLC0415 -- only documents that use it pay for it

    text = data.decode("utf-8-sig", "replace")
    pairs = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in pairs.items() if value is not None}


def _structured(path: Path, data: bytes) -> Values:
    parsed, problems = parse_document(str(path), data)
    errors = [problem for problem in problems if problem.is_error]
    if parsed is None or errors:
        where = f"{errors[0].span}: {errors[0].message}" if errors else str(path)
        raise ProviderError(f"the file cannot be used: {where}")
    if not isinstance(parsed.root, Mapping):
        raise ProviderError(f"`{path}` does not hold a mapping of names to values")
    return texts(parsed.root)
