"""Decides what a synthetic set holds: which artist plays what, in which key and tempo, in which split."""

from collections.abc import Iterator, Sequence

import numpy as np

from musicrec.data.synthetic.composition import Track
from musicrec.data.synthetic.styles import STYLES
from musicrec.heads.keys import key_name

# The splits of a genre's artists, in order; twenty of them (two genres) make 70 % train, 15 % valid, 15 % test. The
# second artist of a genre is a held-out one already, so that small sets have all three splits.
_SPLITS = (
    ("train", "valid", "train", "train", "train", "valid", "train", "train", "test", "train"),
    ("train", "test", "train", "train", "train", "valid", "train", "train", "test", "train"),
)
_ARTISTS_PER_SPLIT_CYCLE = 10
_TRACKS_PER_ARTIST = 4
_FIRST_TEST_ARTIST = _SPLITS[0].index("test")  # where there is one genre alone


def least_tracks(genres: Sequence[str]) -> int:
    """How many tracks it takes for all three splits."""
    return max(2 * len(genres), _FIRST_TEST_ARTIST + 1 if len(genres) == 1 else 0)


def plan_tracks(*, tracks: int, seed: int, genres: Sequence[str] = tuple(STYLES)) -> list[Track]:
    """The tracks of a set: genres in turn, artists of a genre in turn, keys and modes dealt out evenly in each split.

    At least `least_tracks` are needed for all three splits, 240 for all eight genres, keys and modes in each of them.
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
        # One draw from each of equal slices of the range, in an order that is not the artists'.
        tempo_slice, energy_slice = (number * 7 + 3) % per_genre, (number * 11 + 5) % per_genre
        bpm = np.interp((tempo_slice + rng.random()) / per_genre, (0, 1), style.tempo_bpm)
        energy = np.interp((energy_slice + rng.random()) / per_genre, (0, 1), style.energy)
        planned.append(
            Track(
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
    """Endless (pitch class, mode): all 24 before any returns, and all 12 pitch classes within each dozen."""
    while True:
        modes = rng.permutation([0, 1] * 6)
        for half in (modes, 1 - modes):
            for key in rng.permutation(12):
                yield int(key), ("major", "minor")[half[key]]
