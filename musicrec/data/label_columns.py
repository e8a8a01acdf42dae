"""Read the labels of a head from a manifest, and check that there are some to learn from."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from torch import Tensor

from musicrec.data.checks import count_of
from musicrec.errors import ManifestError
from musicrec.heads import Head
from musicrec.heads.frames import FrameWise

Read = TypeVar("Read")
_BEYOND_S = 1.0  # annotations often have a last beat just after the end

log = logging.getLogger(__name__)


def read_columns(head: Head, read: Callable[[pl.DataFrame], Read], frame: pl.DataFrame, *, manifest: Path) -> Read:
    """Let a head read its columns.

    Args:
        head: The head, for the message.
        read: Its method that reads a frame: `head.fit` or `head.encode`.
        frame: Rows of the manifest.
        manifest: Path of the manifest, for the message.

    Returns:
        What `read` returns.

    Raises:
        ManifestError: The frame lacks a column that the head reads.
    """
    try:
        return read(frame)
    except pl.exceptions.ColumnNotFoundError as error:
        raise ManifestError(
            f"{manifest}: column {str(error).splitlines()[0]}, which head '{head.name}' reads; add the "
            f"column (an empty cell is a missing label), or name another (task.heads.{head.name})"
        ) from None


def check_times(head: FrameWise, target: Tensor, frame: pl.DataFrame, ends_s: np.ndarray, *, manifest: Path) -> None:
    """Check that labels with times lie within the audio, or end at most a second after it.

    Args:
        head: The head.
        target: Its labels, (tracks, …).
        frame: Rows of the manifest, one per track.
        ends_s: (tracks,), duration of the audio in seconds.
        manifest: Path of the manifest, for the message.

    Raises:
        ManifestError: A label is later, such as one in milliseconds.
    """
    last_s = head.last_s(target).numpy()
    late = np.flatnonzero(last_s > ends_s + _BEYOND_S)
    if not len(late):
        return
    others = f", and of {count_of(late[1:], 'other track')} beyond the end" if len(late) > 1 else ""
    first = int(late[0])
    raise ManifestError(
        f"{manifest}: {head.name} of track {frame['track_id'][first]!r} go on to {last_s[first]:g} s, but "
        f"{frame['path'][first]} is {ends_s[first]:.1f} s long{others}; give seconds from the start of the file"
    )


def check_labels(head: Head, target: Tensor, *, split: str, manifest: Path) -> None:
    """Check that every output of a head has a label in a split.

    Args:
        head: The head.
        target: Its labels in the split, (tracks, …), NaN where a label is missing.
        split: Name of the split, for the message.
        manifest: Path of the manifest, for the message.

    Raises:
        ManifestError: An output has no label at all.
    """
    outputs = (~target.isnan()).any(dim=0).reshape(-1)
    if outputs.all():
        return
    missing = ""
    if len(outputs) > 1:  # one output per class
        names = [name for name, labelled in zip(head.classes, outputs, strict=True) if not labelled]
        missing = f" ({', '.join(names)})"
    raise ManifestError(
        f"{manifest}: no track of split '{split}' has a label that head '{head.name}'"
        f"{missing} can use; fill its columns, put other tracks into the split (its column, or where the "
        "program has split them data.split_seed, data.split_by=track, data.valid_share), change its "
        f"settings (task.heads.{head.name}), or leave it out (~task.heads.{head.name})"
    )


def keep_labelled(frame: pl.DataFrame, targets: Sequence[Tensor]) -> pl.DataFrame:
    """Return the tracks that have a label for any head; how many have none is logged.

    Args:
        frame: Rows of the manifest.
        targets: Of each head, the labels of these rows (tracks, …), NaN where a label is missing.
    """
    known = [~target.reshape(len(target), -1).isnan().all(dim=1) for target in targets]
    labelled = frame.filter(pl.Series([any(row) for row in zip(*(values.tolist() for values in known), strict=True)]))
    if labelled.height < frame.height:
        log.info(
            "%s of %s tracks have no label that a head can use; their embeddings are not computed",
            f"{frame.height - labelled.height:,}",
            f"{frame.height:,}",
        )
    return labelled
