"""The same work on many pieces in several processes, its results in the order of the pieces."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from backend.domain.errors import Unavailable

Piece = TypeVar("Piece")
Result = TypeVar("Result")
_AHEAD = 3  # pieces for each process that wait or are finished, so that memory stays bounded


def in_processes(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], *, processes: int
) -> Iterator[Result]:
    """Each piece's result, in order. With one process, or none, the work is done here.

    Pieces and results must be picklable and `work` a function of a module. New processes are
    started afresh, so nothing depends on what this one did before; they end when this one does.
    Raises Unavailable if one of them was killed.
    """
    if processes <= 1:
        yield from map(work, pieces)
        return
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) >= _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise Unavailable(
            "A process of this step was killed, most likely for want of memory. Free some, or use "
            "fewer processes, and start it again: what was finished is kept."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cut(rows: Iterable[Piece], size: int) -> Iterator[tuple[Piece, ...]]:
    """The rows in pieces of `size`, the last one shorter."""
    left = iter(rows)
    while piece := tuple(islice(left, size)):
        yield piece


def _end_with(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
