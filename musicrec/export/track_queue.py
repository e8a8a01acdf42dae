"""Work on many tracks in threads: decode some while others are analysed, with few in memory, and keep their order."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Source = TypeVar("Source")
Loaded = TypeVar("Loaded")
Result = TypeVar("Result")


class Stopped(Exception):
    """The work was stopped before its end."""


class TrackQueue(Generic[Source, Loaded, Result]):
    """Loads tracks one by one and works on them in groups, in the threads of one pool.

    A group takes neighbouring tracks until it is full, so the groups depend on the tracks alone and not on which thread
    is faster. At most `threads` + 1 tracks are loaded and wait for their group to be full, and as many groups are
    worked on or wait to be yielded. Fewer if the tracks are large: then groups end early.

    Args:
        load: Loads a track. What it returns for a bad track is for the caller to tell from others.
        work: Returns one result for each track of a group.
        is_full: Whether a group needs no further track.
        size: Size of a track before it is loaded, such as its length.
        most: Total size of the tracks that may be in memory at a time; a larger track is alone in memory.
        threads: Number of threads.
        stopped: Is set when the results are no longer wanted. Then `load` and `work` should raise `Stopped`.
        work_apart: Do the work in one thread of its own, as for a GPU, instead of in any of the threads.
    """

    def __init__(
        self,
        load: Callable[[Source], Loaded],
        work: Callable[[Sequence[Loaded]], Sequence[Result]],
        *,
        is_full: Callable[[Sequence[Loaded]], bool],
        size: Callable[[Source], float] = lambda source: 0.0,
        most: float = math.inf,
        threads: int,
        stopped: threading.Event,
        work_apart: bool = False,
    ) -> None:
        self._load, self._work, self._is_full = load, work, is_full
        self._size, self._most = size, most
        self._threads, self._stopped, self._work_apart = threads, stopped, work_apart

    def results(self, sources: Iterable[Source]) -> Iterator[tuple[Source, Result]]:
        """Yield each track with its result, in the order of the tracks.

        When the caller stops, what has not begun is dropped, and `stopped` is set for the rest.
        """
        loaders = ThreadPoolExecutor(self._threads, thread_name_prefix="track")
        workers = ThreadPoolExecutor(1, thread_name_prefix="network") if self._work_apart else loaders
        waiting = ((source, self._size(source)) for source in sources)
        upcoming = next(waiting, None)
        loading: deque[tuple[Source, Future[Loaded]]] = deque()
        working: deque[tuple[list[Source], Future[Sequence[Result]]]] = deque()
        sizes: deque[float] = deque()  # of all tracks in memory
        names: list[Source] = []
        group: list[Loaded] = []
        try:
            while True:
                while upcoming and len(loading) <= self._threads:
                    source, size = upcoming
                    if sizes and sum(sizes) + size > self._most:
                        break
                    sizes.append(size)
                    loading.append((source, loaders.submit(self._load, source)))
                    upcoming = next(waiting, None)
                if loading:
                    source, loaded = loading.popleft()
                    names.append(source)
                    group.append(loaded.result())
                    del loaded
                if group and (not loading or self._is_full(group)):
                    working.append((names, workers.submit(self._work, group)))
                    names, group = [], []
                if not loading or len(working) > self._threads:
                    if not working:
                        return
                    done, future = working.popleft()
                    yield from zip(done, future.result(), strict=True)
                    for _ in done:
                        sizes.popleft()
        finally:
            self._stopped.set()
            for pool in {loaders, workers}:
                pool.shutdown(wait=False, cancel_futures=True)
