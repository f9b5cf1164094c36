"""When the garbage collector looks: not while very many objects are made that all stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let no collection happen meanwhile.

    Reading a document makes objects that live as long as its plan. The collector would look at all of them again and
    again and find nothing, which takes a third of the time of reading a large one.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
