"""Divide tracks into training, validation and test splits, with every artist in only one of them.

This is for collections that grow: a track keeps its split when others are added. Datasets whose classes should be
spread evenly use `musicrec/data/adapters/random_splits.py`.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from musicrec.config.value_check import check_choice
from musicrec.data.schema import LABELS
from musicrec.errors import ConfigError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SplitNames:
    """The splits of a manifest that a run uses.

    Attributes:
        train: The split to train on.
        valid: The split to validate on.
        test: The splits to test on, each scored separately; a single name is accepted, too.
    """

    train: str = "train"
    valid: str = "valid"
    test: Sequence[str] = ("test",)


@dataclass(frozen=True, kw_only=True)
class RandomSplit:
    """How to divide the tracks of a manifest in which no track has a split: the arguments of `split_tracks`.

    Attributes:
        valid_share: Share of the tracks for validation, 0 to 1.
        test_share: Share of the tracks for testing, 0 to 1.
        unit: What stays together in one split: "artist", "album" or "track".
        seed: Seed of the random division.
    """

    valid_share: float = 0.1
    test_share: float = 0.1
    unit: str = "artist"
    seed: int = 0


def in_split(split: str) -> pl.Expr:
    """Return whether a row is in a split or in one below it, "<split>/…"; false for a row without a split."""
    return ((pl.col("split") == split) | pl.col("split").str.starts_with(f"{split}/")).fill_null(False)


def with_splits(frame: pl.DataFrame, manifest: Path, random_split: RandomSplit) -> pl.DataFrame:
    """Return the tracks of a manifest, divided into splits if none of them has one.

    Args:
        frame: The tracks, with the columns track_id, split, artist and album.
        manifest: Path of the manifest, for the log.
        random_split: How to divide the tracks.

    Returns:
        `frame` itself if any of its tracks has a split, else `frame` with the splits of `split_tracks`.
    """
    if frame["split"].null_count() < frame.height:
        return frame
    frame = split_tracks(frame, **dataclasses.asdict(random_split))
    counts = frame["split"].value_counts().sort("split").iter_rows()
    listed = ", ".join(f"{split} {tracks:,}" for split, tracks in counts)
    log.info("%s: no track has a split; split by %s: %s", manifest, random_split.unit, listed)
    return frame


def split_tracks(
    frame: pl.DataFrame, *, valid_share: float = 0.1, test_share: float = 0.1, unit: str = "artist", seed: int = 0
) -> pl.DataFrame:
    """Return the frame with a split ("train", "valid" or "test") for every track that has none.

    An artist who already has tracks in a split gets their other tracks into the same one. The remaining artists are
    assigned one by one, in an order that depends only on the seed. Each goes to the split that is furthest below its
    share among those with room for all of the artist's tracks, or, if none has room, to the split that lacks the most
    tracks. A track without an artist is grouped by its album; without an album it stands alone. If any track has a
    label, only tracks with a label are counted.

    Args:
        frame: The tracks, with the columns track_id, split, artist and album.
        valid_share: Share of the tracks for validation, 0 to 1.
        test_share: Share of the tracks for testing, 0 to 1.
        unit: What stays together in one split: "artist", "album" (of an artist) or "track".
        seed: Seed of the order in which artists are assigned.

    Returns:
        `frame` with the column split filled in.

    Raises:
        ConfigError: The shares or the unit are invalid, or there are too few artists to give every split one.
    """
    shares = {"train": 1 - valid_share - test_share, "valid": valid_share, "test": test_share}
    if min(shares.values()) < 0:
        raise ConfigError(
            f"data.valid_share={valid_share} data.test_share={test_share}: give shares of 0 or more whose sum is 1 at "
            "most"
        )
    groups = frame.select("split", _group(unit), tracks=_counts(frame)).group_by("group", maintain_order=True)
    groups = groups.agg(pl.col("tracks").sum(), pl.col("split").drop_nulls().first())
    known = groups.drop_nulls("split")
    least = groups.filter(pl.col("tracks") > 0)["tracks"].median() or 1.0  # every split gets at least one whole artist
    wanted = {name: max(least, share * groups["tracks"].sum()) for name, share in shares.items() if share > 0}
    counts = dict.fromkeys(wanted, 0)
    for split, tracks in known.group_by("split").agg(pl.col("tracks").sum()).iter_rows():
        counts[split] = tracks
    chosen = dict(known.select("group", "split").iter_rows())
    rest = groups.filter(pl.col("split").is_null()).select("group", "tracks").iter_rows()
    for group, tracks in sorted(rest, key=lambda row: hashlib.sha256(f"{seed}:{row[0]}".encode()).digest()):
        lacks = {name: wanted[name] - counts[name] for name in wanted}
        roomy = [name for name in wanted if tracks <= lacks[name] + 0.5]
        split = max(roomy, key=lambda name: lacks[name] / wanted[name]) if roomy else max(lacks, key=lacks.get)
        chosen[group] = split
        counts[split] += tracks
    empty = [name for name in wanted if not counts[name]]
    if empty:
        finer = {"artist": "data.split_by=album or data.split_by=track", "album": "data.split_by=track"}.get(unit)
        way_out = f"use {finer}, which gives results that are too good, or fill" if finer else "fill"
        raise ConfigError(
            f"split by {unit}: {groups.filter(pl.col('tracks') > 0).height} with labels are too few to give every "
            f"split one ({', '.join(empty)} would be empty); {way_out} the column `split` yourself"
        )
    split = pl.col("split").fill_null(_group(unit).replace_strict(chosen, return_dtype=pl.String))
    return frame.with_columns(split=split)


def _group(unit: str) -> pl.Expr:
    """Return a name that is the same for all tracks that must stay together."""
    artist, album, track_id = (
        pl.col(name).str.strip_chars().str.to_lowercase() for name in ("artist", "album", "track_id")
    )
    own = pl.concat_str(pl.lit("track "), track_id)
    by_album = pl.concat_str(pl.lit("album "), artist.fill_null(""), pl.lit("\0"), album)
    choices = {
        "artist": (pl.concat_str(pl.lit("artist "), artist), by_album, own),
        "album": (by_album, own),
        "track": (own,),
    }
    check_choice("data.split_by", unit, choices)
    return pl.coalesce(*choices[unit]).alias("group")


def _counts(frame: pl.DataFrame) -> pl.Expr:
    """Return 1 for every track that has a label and 0 for the others; 1 for all if no track has a label."""
    known = [pl.col(name).is_not_null() for name in LABELS if name in frame.columns]
    labelled = pl.any_horizontal(pl.lit(False), *known)
    return labelled.cast(pl.Int64) if frame.select(labelled.any()).item() else pl.lit(1)
