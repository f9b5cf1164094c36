"""Killed at any point, a run ends as if nothing had happened: the soak of `benchmarks/threads_soak.py`, a short one."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "threads_soak.py"


def _soak(database: str) -> str:
    # On PostgreSQL what was executed by the one killed last is taken over after 20 seconds.
    command = [sys.executable, str(SOAK), "--database", database, "--runs", "30", "--kills", "8", "--span", "1.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(240)
def test_a_service_killed_again_and_again_ends_every_run_as_it_should_and_once() -> None:
    assert "; 0 wrong" in _soak("sqlite")


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("postgres")  # skips where there is none
def test_on_postgresql_the_others_end_what_a_killed_process_has_begun() -> None:
    assert "; 0 wrong" in _soak("postgresql")
