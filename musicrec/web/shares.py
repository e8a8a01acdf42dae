"""What makes room for others: something of whoever has the most."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class _Owned(Protocol):
    owner: str


Owned = TypeVar("Owned", bound=_Owned)


def first_of_largest_share(things: Sequence[Owned], *, size: Callable[[Owned], int] = lambda thing: 1) -> Owned:
    """Return the first thing of the owner whose things are the largest together.

    Args:
        things: At least one.
        size: The size of a thing; without it, the number counts.
    """
    sizes = Counter[str]()
    for thing in things:
        sizes[thing.owner] += size(thing)
    owner = sizes.most_common(1)[0][0]
    return next(thing for thing in things if thing.owner == owner)
