"""Changes of the entries of a playlist, by places that count from 1."""

from collections.abc import Collection, Mapping, Sequence

from musicrec.errors import ProfileError
from musicrec.recommend.profiles.records import Entry


def inserted(entries: Sequence[Entry], added: Sequence[Entry], *, at: int, name: str) -> tuple[Entry, ...]:
    """Return entries with others among them.

    Args:
        entries: Those of the playlist.
        added: The new ones.
        at: The place of the first new one, from 1.
        name: The playlist, for messages.

    Raises:
        ProfileError: There is no such place.
    """
    first = at - 1
    if first > len(entries):
        raise ProfileError(f"at={at}: the playlist {name!r} has {len(entries)} tracks; leave it out to add last")
    return (*entries[:first], *added, *entries[first:])


def chosen_entries(
    entries: Sequence[Entry], *, places: Collection[int], named: Mapping[str, str], name: str
) -> list[tuple[int, Entry]]:
    """Return some entries with their places, (place, entry).

    Args:
        entries: Those of the playlist.
        places: Places, from 1.
        named: {audio hash: what the user calls it} of recordings, which are chosen wherever they occur.
        name: The playlist, for messages.

    Raises:
        ProfileError: There is no such place, or a recording is not in the playlist.
    """
    if wrong := [place for place in places if not 1 <= place <= len(entries)]:
        raise ProfileError(f"{wrong[0]}: the playlist {name!r} has the places 1 to {len(entries)}")
    there = {entry.audio_hash for entry in entries}
    if absent := [one for audio_hash, one in named.items() if audio_hash not in there]:
        raise ProfileError(f"{absent[0]}: is not in the playlist {name!r}; see `musicrec playlist show`")
    numbered = enumerate(entries, start=1)
    return [(at, entry) for at, entry in numbered if at in places or entry.audio_hash in named]
