"""Plan a synthetic set: genre, artist, key, tempo, energy and split of every track."""

from collections.abc import Iterator, Sequence

import numpy as np

from musicrec.data.synthetic.composition import SyntheticTrack
from musicrec.data.synthetic.styles import STYLES
from musicrec.heads.keys import key_name

# The splits of a genre's artists, in order. Twenty artists (two genres) are 70 % train, 15 % valid and 15 % test. The
# second artist is not in train, so that small sets have all three splits, too.
_SPLITS = (
    ("train", "valid", "train", "train", "train", "valid", "train", "train", "test", "train"),
    ("train", "test", "train", "train", "train", "valid", "train", "train", "test", "train"),
)
_ARTISTS_PER_SPLIT_CYCLE = 10
_TRACKS_PER_ARTIST = 4
_FIRST_TEST_ARTIST = _SPLITS[0].index("test")  # of a set with one genre


def least_tracks(genres: Sequence[str]) -> int:
    """Return the number of tracks that all three splits need."""
    return max(2 * len(genres), _FIRST_TEST_ARTIST + 1 if len(genres) == 1 else 0)


def plan_tracks(*, tracks: int, seed: int, genres: Sequence[str] = tuple(STYLES)) -> list[SyntheticTrack]:
    """Plan the tracks of a set, with genres and artists in turn, and keys and modes balanced in each split.

    Args:
        tracks: Number of tracks. All three splits need `least_tracks`; 240 tracks have all eight genres, all keys and
            both modes in each split.
        seed: The seed of the set.
        genres: Names of styles.

    Returns:
        The tracks, in order.
    """
    rng = np.random.default_rng((seed, 0))
    styles = list(STYLES)
    per_genre = -(-tracks // len(genres))
    cycles = -(-per_genre // (_TRACKS_PER_ARTIST * _ARTISTS_PER_SPLIT_CYCLE))
    artists = min(per_genre, cycles * _ARTISTS_PER_SPLIT_CYCLE)
    keys = {split: _deal_keys(rng) for split in ("train", "valid", "test")}
    planned = []
    for index in range(tracks):
        number, genre_index = divmod(index, len(genres))
        genre, artist = genres[genre_index], number % artists
        style = STYLES[genre]
        split = _SPLITS[genre_index % 2][artist % _ARTISTS_PER_SPLIT_CYCLE]
        key, mode = next(keys[split])
        metres = list(style.grooves)
        metre = metres[-1] if rng.random() < style.second_metre_chance else metres[0]
        # Stratified: one value from each of `per_genre` equal slices, in an order that does not follow the artists.
        tempo_slice, energy_slice = (number * 7 + 3) % per_genre, (number * 11 + 5) % per_genre
        bpm = np.interp((tempo_slice + rng.random()) / per_genre, (0, 1), style.tempo_bpm)
        energy = np.interp((energy_slice + rng.random()) / per_genre, (0, 1), style.energy)
        planned.append(
            SyntheticTrack(
                track_id=f"{genre}_{number:04d}",
                split=split,
                artist=f"{genre.title()} Artist {artist + 1:02d}",
                title=f"{genre.title()} no. {number + 1} in {key_name(key, mode)}",
                genre=genre,
                bpm=round(float(bpm), 1),
                key=key,
                mode=mode,
                time_signature=metre,
                energy=round(float(energy), 3),
                artist_seed=(seed, 1, styles.index(genre), artist),
                track_seed=(seed, 2, styles.index(genre), number),
            )
        )
    return planned


def _deal_keys(rng: np.random.Generator) -> Iterator[tuple[int, str]]:
    """Yield (pitch class, mode) endlessly: every 24 are all keys, and every 12 have all pitch classes."""
    while True:
        modes = rng.permutation([0, 1] * 6)
        for half in (modes, 1 - modes):
            for key in rng.permutation(12):
                yield int(key), ("major", "minor")[half[key]]
