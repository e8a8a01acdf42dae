"""Tracks into training, validation and test, an artist in one of them only.

For collections that grow. Datasets whose classes are to be spread evenly have musicrec/data/adapters/random_splits.py.
"""

import hashlib
import logging
from pathlib import Path

import polars as pl

from musicrec.data.schema import LABELS
from musicrec.errors import ConfigError

log = logging.getLogger(__name__)


def with_splits(frame: pl.DataFrame, manifest: Path, **settings) -> pl.DataFrame:
    """The tracks of a manifest; if none of them has a split, as `split_tracks` splits them with these settings."""
    if frame["split"].null_count() < frame.height:
        return frame
    frame = split_tracks(frame, **settings)
    counts = frame["split"].value_counts().sort("split").iter_rows()
    said = ", ".join(f"{split} {tracks:,}" for split, tracks in counts)
    log.info("%s: no track has a split; split by %s: %s", manifest, settings.get("unit", "artist"), said)
    return frame


def split_tracks(
    frame: pl.DataFrame, *, valid_share: float = 0.1, test_share: float = 0.1, unit: str = "artist", seed: int = 0
) -> pl.DataFrame:
    """The frame with a split for every track that has none: "train", "valid" or "test".

    Artists that have tracks in a split get their others into the same. The rest are dealt out in an order that follows
    from the seed, each to the part that has least of its share and has room for all of the artist's tracks, or, where
    there is no such part, to the one that lacks most. A track without an artist goes with its album, and without an
    album by itself. Only tracks that have a label count, if there are any.

    Args:
        frame: with the columns track_id, split, artist and album.
        valid_share: of the tracks, 0 to 1; and so test_share.
        unit: what stays together, "artist", "album" (of an artist) or "track".

    Raises:
        ConfigError: the shares or the unit cannot be, or there are too few artists for a part to get one.
    """
    shares = {"train": 1 - valid_share - test_share, "valid": valid_share, "test": test_share}
    if min(shares.values()) < 0:
        raise ConfigError(
            f"data.valid_share={valid_share} data.test_share={test_share}: neither may be negative, and together they "
            "are 1 at most"
        )
    groups = frame.select("split", _group(unit), tracks=_counts(frame)).group_by("group", maintain_order=True)
    groups = groups.agg(pl.col("tracks").sum(), pl.col("split").drop_nulls().first())
    known = groups.drop_nulls("split")
    least = groups.filter(pl.col("tracks") > 0)["tracks"].median() or 1.0  # of whole artists, each part gets one
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
        way_out = f"{finer} splits finer, which flatters the results; or fill" if finer else "fill"
        raise ConfigError(
            f"split by {unit}: {groups.filter(pl.col('tracks') > 0).height} with labels are too few for every part to "
            f"get one ({', '.join(empty)} would be empty); {way_out} the column `split` yourself"
        )
    split = pl.col("split").fill_null(_group(unit).replace_strict(chosen, return_dtype=pl.String))
    return frame.with_columns(split=split)


def _group(unit: str) -> pl.Expr:
    """A name that the tracks have in common that stay together."""
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
    if unit not in choices:
        raise ConfigError(f"data.split_by={unit}: choose one of {', '.join(choices)}")
    return pl.coalesce(*choices[unit]).alias("group")


def _counts(frame: pl.DataFrame) -> pl.Expr:
    """1 for every track that has a label, if any has."""
    known = [pl.col(name).is_not_null() for name in LABELS if name in frame.columns]
    labelled = pl.any_horizontal(pl.lit(False), *known)
    return labelled.cast(pl.Int64) if frame.select(labelled.any()).item() else pl.lit(1)
