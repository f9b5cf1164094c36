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


def settle() -> None:
    """Look no more at what there is now: it stays as long as the process serves.

    A full collection would look at every object of the plans and modules to find nothing: a quarter of the time of a
    request that is passed through.
    """
    gc.collect()
    gc.freeze()


def settle_again() -> None:
    """Let go of what was kept and is not needed any more, and look no more at what there is now.

    Where nothing was settled, the collector finds it by itself.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        settle()
