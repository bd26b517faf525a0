"""Sharing work over the processes of `accelerate launch`; with one process it has no cost."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def count() -> int:
    """How many processes share the work."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is; 0 is the main one, which writes results and says what is done."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    return rank() == 0


def wait() -> None:
    """Go on when all processes have come this far."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """The main process runs the block before the others, which then find its files."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()
