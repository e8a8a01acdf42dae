"""The tracks of a library by their recordings, for what refers to recordings: playlists, feedback, sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.heads.answers import DJFacts
from musicrec.heads.keys import key_index, parse_pitch_class
from musicrec.recommend.library import Library
from musicrec.recommend.query_track import check_name, find_track
from musicrec.recommend.track import Track


@dataclass(frozen=True, kw_only=True)
class FoundTrack:
    """A track of a library.

    Attributes:
        track: The track.
        missing: Whether none of its files was there when they were last looked for.
    """

    track: Track
    missing: bool


@dataclass(frozen=True, kw_only=True)
class MixFacts:
    """What a DJ mixes by, as the models say.

    Attributes:
        bpm: Tempo in BPM, None if no model predicts it.
        key: Index of the key in `musicrec.heads.keys.KEYS_24`, None if it is unknown.
        energy: From 1, calm, to 10, hard, None if it is unknown.
    """

    bpm: float | None
    key: int | None
    energy: float | None


def named_track(library: Library, name: str | Track) -> Track:
    """Return the track of a library that somebody named.

    Args:
        library: The library.
        name: As for `Recommender.query`; the file may also be a copy of one that is in the library. A `Track` is
            returned as it is.

    Raises:
        ConfigError: The library has no such track, or several.
    """
    if isinstance(name, Track):
        return name
    check_name(name, key="track")
    track = find_track(library, name, key="track")
    if track is None:
        raise ConfigError(
            f"track={name}: this file is not in {library.path}; add it with `musicrec index`, naming its folder"
        )
    return track


def tracks_of(library: Library, audio_hashes: Iterable[str]) -> dict[str, FoundTrack]:
    """Return the tracks of recordings, {audio hash: track}, with a file that is there if there is one.

    Args:
        library: The library.
        audio_hashes: The recordings. Those that the library does not hold are left out.
    """
    wanted = set(audio_hashes)
    chosen: dict[str, tuple[bool, str]] = {}
    for file in library.files() if wanted else ():
        if file.audio_hash in wanted:
            here = (file.missing, file.path)
            chosen[file.audio_hash] = min(chosen.get(file.audio_hash, here), here)
    found = {}
    for audio_hash, (missing, path) in chosen.items():
        for track in library.find(path=path):
            found[audio_hash] = FoundTrack(track=track, missing=missing)
    return found


def mix_facts(heads: Mapping[str, Head], track: Track) -> MixFacts:
    """Return tempo, key and energy of a track.

    Args:
        heads: The heads of the library, {name: head}.
        track: The track.
    """
    features = [(name, head) for name, head in heads.items() if head.role == "feature"]
    facts = DJFacts.joined(head.dj_facts(head.decode(track.probabilities[name])) for name, head in features)
    known = facts.tonic is not None and facts.mode is not None
    return MixFacts(
        bpm=facts.bpm,
        key=key_index(parse_pitch_class(str(facts.tonic)), str(facts.mode)) if known else None,
        energy=track.descriptors.get("energy"),
    )
