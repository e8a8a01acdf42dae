"""Recommenders in threads: each belongs to one thread, and the event loop hands them questions."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from musicrec.recommend.recommender import Recommender

Result = TypeVar("Result")


class _Worker:
    """One thread with one recommender, which is opened by the first question."""

    def __init__(self, open_recommender: "Callable[[], Recommender]", number: int) -> None:
        self._open = open_recommender
        self._recommender: Recommender | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=f"recommender-{number}")

    def answer(self, question: "Callable[[Recommender], Result]") -> Result:
        if self._recommender is None:
            self._recommender = self._open()
        return question(self._recommender)

    def close(self) -> None:
        if self._recommender is not None:
            self._recommender.close()
            self._recommender = None


class RecommenderPool:
    """Answers questions to a recommender in as many threads as are asked for, in the order in which they came.

    Example:
        answer = await pool.run(lambda recommender: recommender.query(track, k=20))

    Args:
        open_recommender: Opens a recommender; called once in each thread.
        threads: Number of threads.
    """

    def __init__(self, open_recommender: "Callable[[], Recommender]", *, threads: int) -> None:
        self._workers = [_Worker(open_recommender, number) for number in range(threads)]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def run(self, question: "Callable[[Recommender], Result]") -> Result:
        """Return the answer of a function that gets a recommender. It runs in a thread of the pool.

        A question that nobody waits for any longer is still answered before its thread takes another one.
        """
        worker = await self._idle.get()
        try:
            answer = asyncio.get_running_loop().run_in_executor(worker.thread, worker.answer, question)
        except BaseException:
            self._idle.put_nowait(worker)
            raise
        answer.add_done_callback(lambda _: self._idle.put_nowait(worker))
        return await asyncio.shield(answer)

    def close(self) -> None:
        """Wait for what is being answered, and close the recommenders."""
        for worker in self._workers:
            worker.thread.submit(worker.close)
        for worker in self._workers:
            worker.thread.shutdown(wait=True)
