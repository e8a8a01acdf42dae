"""Render a corpus: audio and a manifest, from a seed. An interrupted rendering can be continued."""

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from musicrec.config.number_types import Count, Natural, Seed
from musicrec.config.value_check import check_value
from musicrec.data.manifest import write_manifest
from musicrec.data.midi.fluidsynth import find_fluidsynth
from musicrec.data.midi.workplace import (
    MANIFEST,
    Rendering,
    as_table,
    check_sound_fonts,
    map_with_progress,
    rendering_into,
)
from musicrec.data.rendering.arrange import find_mma
from musicrec.data.rendering.clip_renderer import ClipRenderer
from musicrec.data.rendering.plan import plan_clips
from musicrec.data.rendering.styles import grooves_of, read_genres
from musicrec.errors import ConfigError, MidiError

VERSION = 2  # increase it whenever the same settings give other audio or labels
DURATION_S, SAMPLE_RATE = 30.0, 16_000
SOUND_FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2")  # of the Debian packages


def render_corpus(
    out: str | os.PathLike,
    *,
    clips_per_genre: int = 100,
    composed: int = 0,
    seed: int = 0,
    sound_fonts: Iterable[str | os.PathLike] = SOUND_FONTS,
    shift_sound_font: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Rendering:
    """Render a labelled corpus.

    Args:
        out: The folder that receives `manifest.csv`, `audio/` and `rendered.jsonl`, from which an interrupted call
            continues.
        clips_per_genre: Arranged clips of each of the twelve genres.
        composed: Composed clips (`compose`), which have no genre and are in train and valid only.
        seed: Seed of the corpus. The split of styles does not depend on it.
        sound_fonts: General MIDI sound fonts; one is drawn for each clip.
        shift_sound_font: Sound font of a split test_shift, which takes half of the test clips.
        workers: Number of clips rendered at the same time, by default one per core. It does not change the result.
        progress: Show the progress on the standard error stream.

    Returns:
        The manifest, and what was left out.

    Raises:
        ConfigError: If a setting is out of range, a program or a sound font is missing, or `out` cannot be written.
        MidiError: If no clip could be rendered.
    """
    check_value("clips_per_genre", clips_per_genre, Natural)
    check_value("composed", composed, Natural)
    check_value("clips_per_genre + composed", clips_per_genre + composed, Annotated[int, Ge(1)])
    check_value("seed", seed, Seed)
    check_value("workers", workers, Count | None)
    mma, fluidsynth, out = find_mma(), find_fluidsynth(), Path(os.path.abspath(out))
    fonts = [Path(font) for font in sound_fonts]
    shift_font = None if shift_sound_font is None else Path(shift_sound_font)
    for font in fonts:
        if str(font) in SOUND_FONTS and not font.exists():
            raise ConfigError(
                f"{font}: no such sound font; install it (Debian and Ubuntu: apt install fluid-soundfont-gm "
                "timgm6mb-soundfont), or name others with --sound-font"
            )
    check_sound_fonts(fonts, shift_font)
    genres = read_genres()
    for style in {style for genre in genres for styles in genre.styles.values() for style in styles}:
        grooves_of(style)  # a style that is missing is reported before anything is rendered
    clips = plan_clips(
        genres,
        clips_per_genre=clips_per_genre,
        composed=composed,
        seed=seed,
        sound_fonts=fonts,
        shift_sound_font=shift_font,
    )
    if progress:
        most_gb = len(clips) * DURATION_S * SAMPLE_RATE * 2 / 1e9
        print(f"clips: {len(clips)}, at most {most_gb:.2g} GB in {out}", file=sys.stderr)
    settings = {"corpus version": VERSION, "duration_s": DURATION_S, "sample_rate": SAMPLE_RATE}
    with rendering_into(out, settings) as (scratch, journal):
        renderer = ClipRenderer(
            mma=mma,
            fluidsynth=fluidsynth,
            out=out,
            scratch=scratch,
            journal=journal,
            duration_s=DURATION_S,
            sample_rate=SAMPLE_RATE,
        )
        with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
            answers = map_with_progress("rendering", "rendered", pool, renderer, clips, progress=progress)
        left_out = [(clip.track_id, why) for clip, why in zip(clips, answers, strict=True) if isinstance(why, str)]
        rows = [answer for answer in answers if not isinstance(answer, str)]
        if not rows:
            raise MidiError(f"{out}: no clip could be rendered; the reason for {': '.join(left_out[0])}")
        tracks = as_table(rows)
        write_manifest(tracks, out / MANIFEST)
    splits = tracks["split"].value_counts(sort=True, name="tracks").iter_rows()
    parts = ", ".join(f"{name} {count}" for name, count in splits)
    facts = [f"{out / MANIFEST}: {tracks.height} tracks ({parts})"]
    return Rendering(manifest=out / MANIFEST, tracks=tracks, left_out=left_out, facts=facts, what="clips")
