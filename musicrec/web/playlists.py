"""Playlists as the API shows and changes them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from musicrec.recommend.library_tracks import mix_facts, tracks_of
from musicrec.recommend.profiles.records import Entry
from musicrec.web.errors import no_such_track
from musicrec.web.track_list import Opinions, TrackList, facts_row

if TYPE_CHECKING:
    from musicrec.recommend.library import Library


def playlist_rows(
    library: "Library", table: TrackList, entries: Sequence[Entry], opinions: Opinions
) -> list[dict[str, Any]]:
    """Return the tracks of a playlist as rows, also those whose file is missing.

    Args:
        library: The library.
        table: Its tracks.
        entries: The playlist.
        opinions: What the user thinks of the tracks.
    """
    gone = {entry.audio_hash for entry in entries if entry.audio_hash not in table.row_of}
    missing = tracks_of(library, gone)
    rows = []
    for place, entry in enumerate(entries, start=1):
        number, absent = table.row_of.get(entry.audio_hash), missing.get(entry.audio_hash)
        if number is not None:
            row = table.row(number)
        elif absent is not None:
            row = facts_row(absent.track, mix_facts(library.heads, absent.track))
        else:
            row = facts_row(None, None) | {"id": entry.audio_hash, "title": entry.title or entry.audio_hash[:8]}
        rows.append(opinions.added_to(row) | {"place": place, "available": number is not None})
    return rows


def entries_of(library: "Library", table: TrackList, ids: Sequence[str], known: Sequence[Entry] = ()) -> list[Entry]:
    """Return recordings as entries of a playlist.

    Args:
        library: The library.
        table: Its tracks.
        ids: The recordings: those of the library, also without a file, and those in `known`.
        known: Entries that are there already, also of recordings that the library does not hold.

    Raises:
        WebError: Nothing is known of one of them (404).
    """
    titles = {entry.audio_hash: entry.title for entry in known}
    titles |= {one: table.names[table.row_of[one]] for one in ids if one in table.row_of}
    rest = {one for one in ids if one not in titles}
    titles |= {one: found.track.name for one, found in tracks_of(library, rest).items()}
    for one in ids:
        if one not in titles:
            raise no_such_track(one)
    return [Entry(audio_hash=one, title=titles[one]) for one in ids]
