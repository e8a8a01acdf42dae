"""The tracks that a query is asked with, as a user names them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from musicrec.errors import ConfigError
from musicrec.recommend.query_track import check_name
from musicrec.recommend.track import Track


@dataclass(frozen=True, kw_only=True)
class QueryTracks:
    """The tracks of a query.

    Attributes:
        alike: The tracks to be like.
        unlike: Tracks to be unlike.
        towards: The track to which a path leads; None for no path.
    """

    alike: list[Track]
    unlike: list[Track]
    towards: Track | None

    @property
    def every(self) -> list[Track]:
        """All of them, in this order."""
        return [*self.alike, *self.unlike, *([] if self.towards is None else [self.towards])]


class QueryNames:
    """The names of the tracks of a query. A mistake is reported before anything is read.

    Args:
        alike: The tracks to be like, by name; or as tracks that were read or analysed before, as are the others.
        unlike: Tracks to be unlike.
        towards: The track to which a path leads; None for no path.
        playlist: Whether `alike` is a playlist.
        at_s: Where in its file the part begins by which is asked, in seconds; None for the whole track.

    Raises:
        ConfigError: No track is named, a name is empty or not UTF-8, a path has more than one start, or a place is in
            more than one track.
    """

    def __init__(
        self,
        alike: str | Track | Sequence[str | Track],
        *,
        unlike: Sequence[str | Track] = (),
        towards: str | Track | None = None,
        playlist: bool = False,
        at_s: float | None = None,
    ) -> None:
        self._at_s = at_s
        self._alike = [alike] if isinstance(alike, (str, Track)) else list(alike)
        self._unlike, self._towards = list(unlike), towards
        if not self._alike:
            raise ConfigError("query: name at least one track")
        if towards is not None and (len(self._alike) > 1 or self._unlike or playlist):
            end = towards.name if isinstance(towards, Track) else towards
            raise ConfigError(f"towards={end}: a path leads from one track to another; name only one track beside it")
        if at_s is not None and (len(self._alike) > 1 or towards is not None):
            raise ConfigError(f"at_s={at_s:g}: this is a place in one track; name only one, and no path")
        for name in (*self._alike, *self._unlike, *([] if towards is None else [towards])):
            if isinstance(name, str):
                check_name(name)

    def find(
        self, find: Callable[[str], Track], *, find_part: Callable[[str | Track, float], Track] | None = None
    ) -> QueryTracks:
        """Return the tracks.

        Args:
            find: Returns the track of a name.
            find_part: Returns the part of a track from some second on; is needed for `at_s`.

        Raises:
            ConfigError: A track to be like is also one to be unlike, or the end of a path.
        """

        def track(name: str | Track) -> Track:
            return name if isinstance(name, Track) else find(name)

        def alike(name: str | Track) -> Track:
            return track(name) if self._at_s is None or find_part is None else find_part(name, self._at_s)

        found = QueryTracks(
            alike=[alike(name) for name in self._alike],
            unlike=[track(name) for name in self._unlike],
            towards=None if self._towards is None else track(self._towards),
        )
        named = {one.audio_hash for one in found.alike}
        for other in found.every[len(found.alike) :]:
            if other.audio_hash in named:
                raise ConfigError(
                    f"{other.name} is named twice: an answer cannot be like it and unlike it, or lead to it"
                )
        return found


def refuse_on_paths(order: Mapping[str, float | None]) -> None:
    """Refuse settings of the order of an answer, which a path has not: its tracks follow each other.

    Args:
        order: {setting of `Reranking`: value}; None where it is not given.

    Raises:
        ConfigError: One is given.
    """
    for name, value in order.items():
        if value is not None:
            raise ConfigError(
                f"reranking.{name}={value:g}: a path between two tracks has an order of its own; leave it out"
            )
