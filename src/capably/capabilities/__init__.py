"""Capability documents that come with the package."""

from pathlib import Path

THREADS_RUNS = Path(__file__).parent / "threads-runs.yaml"
"""The AIMLAPI Threads > Runs capability: four operations as REST on 8080 and as MCP tools on 9090."""
