"""A recommender in a thread of its own, to which the event loop hands questions."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from musicrec.web.errors import too_busy
from musicrec.web.kept_recommender import KeptRecommender

if TYPE_CHECKING:
    from musicrec.recommend.recommender import Recommender

MOST = 500
"""Questions that take milliseconds."""
MOST_SLOW = 32
"""Questions that take seconds."""
Result = TypeVar("Result")


class RecommenderThread:
    """Answers questions to a recommender, one after the other, in the order in which they came.

    Example:
        answer = await thread.run(lambda recommender: recommender.query(track, k=20))

    Args:
        open_recommender: Opens the recommender; called by the first question.
        name: Name of the thread.
        most: The most questions that wait or are being answered. Clients may go away; what they asked stays here.
    """

    def __init__(self, open_recommender: "Callable[[], Recommender]", *, name: str, most: int = MOST) -> None:
        self._kept, self._most, self._count = KeptRecommender(open_recommender), most, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, question: "Callable[[Recommender], Result]") -> Result:
        """Return the answer of a function that gets the recommender. It runs in the thread.

        A question for which nobody waits any longer is still answered if it has begun.

        Raises:
            WebError: Too many wait (503).
        """
        if self._count >= self._most:
            raise too_busy()
        self._count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)
        finally:
            self._count -= 1

    def close(self) -> None:
        """Wait for what is being answered, and close the recommender."""
        self._thread.submit(self._kept.close)
        self._thread.shutdown(wait=True)

    def _answer(self, question: "Callable[[Recommender], Result]") -> Result:
        return question(self._kept.get())
