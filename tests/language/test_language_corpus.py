"""Real documents: none of them makes the compiler raise, and no request it prepares has a hole in it.

The bundled document is always looked at. Where a corpus of published documents is at hand (`CAPABLY_CORPUS`, or
`shared/corpus` beside the repository), a sample of it is too.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capably.capabilities import THREADS_RUNS
from capably.codes import CODES
from capably.examine import Examined, examine
from capably.load import find_documents
from capably.plan.consumed import Consumed
from capably.plan.description import sample_inputs
from capably.upstream.request import Request, build_request

CORPUS = Path(os.environ.get("CAPABLY_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
FOUND = find_documents(CORPUS) if CORPUS.is_dir() else []
SAMPLE = [THREADS_RUNS, *(file for file in FOUND[::20] if file.stat().st_size < 300_000)]


def requests(examined: Examined) -> Iterator[tuple[Consumed, Request]]:
    for server in examined.compiled.plan.servers if examined.compiled is not None else ():
        for operation in server.operations:
            if isinstance(operation.work, Consumed):
                yield operation.work, build_request(operation.work.request, sample_inputs(operation.inputs))


@pytest.mark.parametrize("file", SAMPLE, ids=lambda file: file.stem)
def test_a_published_document_is_examined_and_its_requests_are_whole(file: Path) -> None:
    examined = examine(file)
    assert {item.code for item in examined.diagnostics} <= set(CODES)
    assert examined.compiled is not None or examined.has_errors
    for work, request in requests(examined):
        assert not re.search(r"[{}\s]|%7[BD]", urlsplit(request.url).path), work.target
        written = f"{urlsplit(work.request.base).path}{work.target.path}"
        assert "//" not in urlsplit(request.url).path or "//" in written or "<" in request.url, work.target
        assert urlsplit(request.url).netloc or "<" in request.url, work.target
        assert request.method == work.target.method
        assert "{{" not in str(request.headers), work.target


def test_the_bundled_document_makes_its_eight_requests() -> None:
    lines = [f"{request.method} {request.url}" for _work, request in requests(examine(THREADS_RUNS))]
    runs, run = "http://<baseurl>/threads/threadId-1/runs", "http://<baseurl>/threads/threadId-1/runs/runId-1"
    eight = [f"GET {runs}", f"POST {runs}", f"POST {run}", f"GET {run}"] * 2
    assert lines == eight
