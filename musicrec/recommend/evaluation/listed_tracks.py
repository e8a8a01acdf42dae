"""The playlists of a library as rows of its tracks."""

from collections.abc import Sequence

import numpy as np

from musicrec.config.value_check import check_choice
from musicrec.recommend.evaluation.labels import Labels
from musicrec.recommend.library import Library
from musicrec.recommend.track import Track

SOURCES = (None, "sources", "artist", "album", "genre", "label")


def playlists_of(library: Library, tracks: Sequence[Track], *, by: str | None, labels: Labels) -> dict[str, list[int]]:
    """Return the playlists that are continued, {name: rows of the tracks}.

    Args:
        library: The library.
        tracks: Its tracks.
        by: "sources" for the playlists that were indexed and those of the collections of DJ programs; "artist",
            "album", "genre" or "label" takes the tracks with the same one for a playlist. None for no playlists.
        labels: The labels of the tracks.

    Raises:
        ConfigError: `by` is none of these.
    """
    check_choice("evaluate.playlists", by, SOURCES)
    if by is None:
        return {}
    if by != "sources":
        names = getattr(labels, by)
        return {str(name): np.flatnonzero(names == name).tolist() for name in sorted(set(names) - {""})}
    rows = {track.audio_hash: row for row, track in enumerate(tracks)}
    files = library.files()
    row_of = {file.path: rows[file.audio_hash] for file in files if file.audio_hash in rows}
    found: dict[str, list[int]] = {}
    for source in library.sources():
        for playlist in source.metadata.get("playlists", ()):
            name = "/".join([source.place, *playlist["name"]])
            found[name] = [row_of[path] for path in playlist["paths"] if path in row_of]
        if source.kind == "playlist":
            listed = [file.path for file in files if source.place in file.sources]
            found[source.place] = [row_of[path] for path in listed if path in row_of]
    return {name: list(dict.fromkeys(rows)) for name, rows in found.items() if rows}
