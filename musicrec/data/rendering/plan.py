"""The clips of a corpus: split, style, sound font and seed of each."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.data.rendering.styles import Genre

SHIFTED = "test_shift"  # a split whose sound font no other split has
TRAIN, VALID = 0.70, 0.12  # shares of the arranged clips; the rest is test, and half of that is shifted
COMPOSED_VALID = 0.15  # share of the composed clips; the rest is train, so that test stays as it is without them


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What a clip is made from.

    Attributes:
        track_id: Its name.
        split: Its split.
        title: Its title.
        genre: Its genre; None if it is composed.
        style: Its style of MMA; None if it is composed.
        tempo: Lowest and highest tempo of the genre in BPM.
        sound_font: The sound font.
        seed: Seed of everything that is left to chance.
    """

    track_id: str
    split: str
    title: str
    genre: str | None = None
    style: str | None = None
    tempo: tuple[int, int] | None = None
    sound_font: Path
    seed: int


def plan_clips(
    genres: Sequence[Genre],
    *,
    clips_per_genre: int,
    composed: int,
    seed: int,
    sound_fonts: Sequence[Path],
    shift_sound_font: Path | None,
) -> list[Clip]:
    """Plan the clips of a corpus.

    Args:
        genres: The genres.
        clips_per_genre: Arranged clips of each.
        composed: Composed clips.
        seed: Seed of the corpus. The seed of a clip follows from it and from the name of the clip.
        sound_fonts: One is drawn for each clip.
        shift_sound_font: Sound font of the split `test_shift`, which takes half of test; None for no such split.

    Returns:
        The clips, genre by genre, the composed ones last.
    """
    train_end = round(TRAIN * clips_per_genre)
    valid_end = train_end + round(VALID * clips_per_genre)
    shift_start = valid_end + math.ceil((clips_per_genre - valid_end) / 2)
    clips = []
    for genre in genres:
        for number in range(clips_per_genre):
            track_id = f"{genre.name}_{number:04d}"
            rng = random.Random(f"{seed} {track_id}")
            split = "train" if number < train_end else "valid" if number < valid_end else "test"
            styles, font = genre.styles[split], rng.choice(sound_fonts)
            if number >= shift_start and shift_sound_font is not None:
                split, font = SHIFTED, shift_sound_font
            clips.append(
                Clip(
                    track_id=track_id,
                    split=split,
                    title=f"{genre.name.capitalize()} no. {number + 1}",
                    genre=genre.name,
                    style=styles[number % len(styles)],
                    tempo=genre.tempo,
                    sound_font=font,
                    seed=rng.randrange(2**31),
                )
            )
    for number in range(composed):
        track_id = f"composed_{number:04d}"
        rng = random.Random(f"{seed} {track_id}")
        clips.append(
            Clip(
                track_id=track_id,
                split="valid" if number >= (1 - COMPOSED_VALID) * composed else "train",
                title=f"Composition no. {number + 1}",
                sound_font=rng.choice(sound_fonts),
                seed=rng.randrange(2**31),
            )
        )
    return clips
