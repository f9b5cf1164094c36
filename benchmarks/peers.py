"""The peers that capably is compared with: where each is found, and how it is installed when it is not there.

They are installed below ``build/peers``, nginx by the system's package manager.
"""

import subprocess
import sys
from pathlib import Path

from processes import program

HERE = Path(__file__).parent
PLACE = HERE.parent / "build" / "peers"
FASTMCP = "4.1.0"
TOOLBOX = "1.12.0"


def nginx() -> str | None:
    """nginx; ``None`` when it is neither there nor to be had."""
    if program("nginx") is None and program("apt-get") is not None:
        _told(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"])
    return program("nginx")


def wrk() -> str | None:
    """The load generator wrk, which needs a twentieth of what a Python one does."""
    if program("wrk") is None and program("apt-get") is not None:
        _told(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"])
    return program("wrk")


def fastmcp() -> Path | None:
    """An interpreter that has FastMCP."""
    python = PLACE / "fastmcp" / "bin" / "python"
    if not python.exists():
        _told([sys.executable, "-m", "venv", str(python.parents[1])])
        _told([str(python), "-m", "pip", "install", "-q", f"fastmcp=={FASTMCP}"])
    return python if python.exists() else None


def toolbox() -> Path | None:
    """The program of MCP Toolbox, which its npm package carries."""
    place = PLACE / "toolbox"
    npm = program("npm")
    if not any(place.glob("node_modules/@toolbox-sdk/server-*/bin/toolbox")) and npm is not None:
        place.mkdir(parents=True, exist_ok=True)
        _told([npm, "install", "--no-audit", "--no-fund", "--prefix", str(place), f"@toolbox-sdk/server@{TOOLBOX}"])
    return next(place.glob("node_modules/@toolbox-sdk/server-*/bin/toolbox"), None)


def _told(command: list[str]) -> None:
    """Run a command of an installation; one that fails leaves its peer out, which the table tells."""
    print(f"installing: {' '.join(command)}", file=sys.stderr)
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
