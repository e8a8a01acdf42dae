"""What a process of `recommender_processes` does; started as `python -m musicrec.web.recommender_tasks PARENT`."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from musicrec.errors import ConfigError
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.track import Track
from musicrec.web import sets
from musicrec.web.kept_recommender import KeptRecommender
from musicrec.web.messages import track_of
from musicrec.web.queries import changed_filters, shipped_preset
from musicrec.web.worker_loop import Report, Task, serve


def answer_query(
    recommender: Recommender,
    asked: Mapping[str, Any],
    *,
    uploads: Mapping[str, Track],
    user: str,
    profiles: str | None,
) -> dict[str, Any]:
    """Answer as `musicrec query --json` does.

    Args:
        recommender: The recommender.
        asked: The settings of `schemas.QueryRequest`; of tags and filters only those that are given. Tracks are ids.
        uploads: {id: track}, those of the tracks that are not in the library.
        user: Whose taste changes the order; "" for nobody's.
        profiles: Where profiles are kept.

    Raises:
        ConfigError: A setting is out of range, or a track is not in the library any more.
        LibraryError: The library cannot be read.
    """
    preset = shipped_preset(asked["preset"])
    filters = changed_filters(None if preset is None else preset.filters, asked["filters"])
    named = [*asked["tracks"], *asked["unlike"], *([] if asked["towards"] is None else [asked["towards"]])]
    found = tracks_with_ids(recommender, [one for one in named if one not in uploads]) | dict(uploads)
    answer = recommender.query(
        [found[one] for one in asked["tracks"]],
        unlike=[found[one] for one in asked["unlike"]],
        towards=None if asked["towards"] is None else found[asked["towards"]],
        preset=preset,
        filters=filters,
        user=user,
        profiles=profiles,
        **{name: asked[name] for name in _AS_GIVEN},
    )
    return answer.as_dict()


_AS_GIVEN = (
    "playlist", "k", "tags", "weights", "metric", "at_s", "passage", "neighbours", "hubs", "balance",
    "include_unreliable",
)  # fmt: skip


def tracks_with_ids(recommender: Recommender, ids: Sequence[str]) -> dict[str, Track]:
    """Return tracks of the library, {id: track}.

    Raises:
        ConfigError: The library does not have one of them.
    """
    wanted = list(dict.fromkeys(ids))
    numbers = recommender.library.ids_of(wanted)
    if missing := [one for one in wanted if one not in numbers]:
        raise ConfigError(f"{missing[0]}: the library has no track with this id any more; reload the page")
    return dict(zip(wanted, recommender.library.tracks([numbers[one] for one in wanted]), strict=True))


def names_of_library(recommender: Recommender) -> dict[str, list[str]]:
    """Return what weights and filters can name: "blocks", "genres" and "tags"."""
    library, index = recommender.library, recommender.library_index
    return {
        "blocks": list(library.blocks()),
        "genres": sorted(genre for genre in index.genres if genre),
        "tags": list(index.tags.names),
    }


class _Tasks:
    """The tasks of a process, which keep the library open."""

    def __init__(self) -> None:
        self._kept: KeptRecommender | None = None

    def query(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """See `answer_query`. Uploads come as `messages.track_fields`."""
        uploads = {one: track_of(fields) for one, fields in arguments["uploads"].items()}
        return answer_query(
            self._open(arguments["library"]),
            arguments["asked"],
            uploads=uploads,
            user=arguments["user"],
            profiles=arguments["profiles"],
        )

    def names(self, arguments: Mapping[str, Any], report: Report) -> dict[str, list[str]]:
        """See `names_of_library`."""
        return names_of_library(self._open(arguments["library"]))

    def build_set(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """See `sets.build`."""
        return sets.build(
            self._open(arguments["library"]),
            arguments["asked"],
            user=arguments["user"],
            profiles=arguments["profiles"],
            progress=lambda step: report(done=step.done, total=step.total),
        )

    def explain_set(self, arguments: Mapping[str, Any], report: Report) -> dict[str, Any]:
        """See `sets.explain`."""
        return sets.explain(self._open(arguments["library"]), arguments["asked"])

    def _open(self, library: str) -> Recommender:
        if self._kept is None:
            self._kept = KeptRecommender(lambda: Recommender.open(library))
        return self._kept.get()


def make_tasks() -> dict[str, Task]:
    """Return the tasks of a query process."""
    tasks = _Tasks()
    return {name: getattr(tasks, name) for name in ("query", "names", "build_set", "explain_set")}


if __name__ == "__main__":
    serve(make_tasks(), parent=int(sys.argv[1]))
