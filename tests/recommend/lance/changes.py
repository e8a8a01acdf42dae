"""What adds invented tracks to a library."""

import dataclasses

from musicrec.recommend.library import Changes, LibraryFile, Listing, Recording, Source
from musicrec.recommend.track import Track


def changes_of(tracks: list[Track], place: str = "/music") -> Changes:
    """Return what adds tracks to a library."""
    kept = {field.name for field in dataclasses.fields(Recording)} - {"fingerprint", "version_of", "peaks", "beat_grid"}
    facts = {field.name for field in dataclasses.fields(LibraryFile)} - {"missing_since", "sources"}
    return Changes(
        place=place,
        source=Source(place=place, kind="folder"),
        recordings=[Recording(**{name: getattr(track, name) for name in kept}) for track in tracks],
        files=[LibraryFile(**{name: getattr(track, name) for name in facts}) for track in tracks],
        listed=[Listing(path=track.path, track_id=track.track_id) for track in tracks],
    )
