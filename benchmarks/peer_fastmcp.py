"""FastMCP's way of serving an API as tools; run by the interpreter of a virtual environment that has FastMCP."""

import json
import sys
from pathlib import Path

import httpx2  # type: ignore[import-not-found]
from fastmcp import FastMCP  # type: ignore[import-not-found]

if __name__ == "__main__":
    document, upstream, port, *sessions = sys.argv[1:]
    server = FastMCP.from_openapi(
        json.loads(Path(document).read_text(encoding="utf-8")),
        client=httpx2.AsyncClient(base_url=upstream),
    )
    server.run(
        transport="http",
        host="127.0.0.1",
        port=int(port),
        stateless_http=not sessions,
        json_response=True,
        log_level="error",
        show_banner=False,
    )
