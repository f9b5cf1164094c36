"""Arguments that requests mirror in ``Mcp-Param-*`` headers, for what stands between client and server.

A header that says something else than the body is refused: otherwise two readers would act on different calls (MCP
2026-07-28, Streamable HTTP: Custom Headers from Tool Parameters).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from capably.plan.operation import Operation
from capably.servers.mcp_eras import mirrored_value
from capably.servers.mcp_messages import HEADER_MISMATCH, ProtocolError, shown

SCHEMA_KEY: Final = "x-mcp-header"
_NUMBER: Final = re.compile(r"-?[0-9]{1,1000}((?:\.[0-9]{1,1000})?(?:[eE][-+]?[0-9]{1,4})?)")  # RFC 8259, section 6


def mirrors_of(operation: Operation) -> Mapping[str, str]:
    """The header of each input that is mirrored, without ``Mcp-Param-``."""
    return {item.name: str(item.schema[SCHEMA_KEY]) for item in operation.inputs if SCHEMA_KEY in item.schema}


def check_mirrors(mirrors: Mapping[str, str], arguments: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Check that headers say what the arguments say.

    Raises:
        ProtocolError: a header is missing, superfluous, or says something else.
    """
    for name, header in mirrors.items():
        given, value = headers.get(header.lower()), arguments.get(name)
        if given is None and value is None:
            continue
        if given is None:
            raise ProtocolError(HEADER_MISMATCH, f"Missing required header: Mcp-Param-{header}")
        said = mirrored_value(given)
        if not _says(said, value):
            detail = f"Mcp-Param-{header} header value '{shown(said)}' does not match argument '{shown(value)}'"
            raise ProtocolError(HEADER_MISMATCH, f"Header mismatch: {detail}")


def _says(header: str, value: Any) -> bool:
    if isinstance(value, bool):
        return header == str(value).lower()
    if isinstance(value, int | float):  # numbers are compared as numbers: 42.0 is 42 (Server Validation)
        number = _NUMBER.fullmatch(header)
        if number is None:
            return False
        return (float(header) if number[1] else int(header)) == value
    return isinstance(value, str) and header == value
