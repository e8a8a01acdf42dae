"""Manifests that were made, kept on the disk with what they were made of, and perhaps edited since."""

import hashlib
import json
import logging
import os
from pathlib import Path

import polars as pl

from musicrec.data.manifest import write_manifest
from musicrec.errors import ManifestError
from musicrec.system.atomic_write import write_json

log = logging.getLogger(__name__)


def save_manifest(frame: pl.DataFrame, manifest: Path, state: dict) -> None:
    """Write a manifest, and beside it, as JSON, the state of what it was made of.

    The JSON is there first, with the digests of the manifest to come and of the one before: killed in between, neither
    counts as edited.
    """
    new = manifest.with_stem(f".{manifest.stem}-new")
    write_manifest(frame, new)
    record = {
        "state": state,
        "sha256": file_digest(new),
        "before": file_digest(manifest) if manifest.is_file() else None,
    }
    write_json(manifest.with_suffix(".json"), record, error=ManifestError)
    os.replace(new, manifest)


def is_up_to_date(manifest: Path, state: dict, *, log_reason: bool = True) -> bool:
    """Whether a manifest can be used as it is. Raises ManifestError where that is for its editor to decide.

    tell: say that it has been edited, or why it cannot be used.
    """
    if not manifest.is_file():
        return False
    try:
        record = json.loads(manifest.with_suffix(".json").read_text())
        before, now = dict(record["state"]), file_digest(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        raise ManifestError(
            f"{manifest}: lies where this manifest is kept, without the {manifest.with_suffix('.json').name} that says "
            f"what it was made of. To use it: data=manifest data.manifest={manifest} data.share_store=true; to have it "
            "made anew: delete it"
        ) from None
    edited = now != record["sha256"]
    if edited and now == record.get("before"):
        return False  # a kill came between the record and the manifest
    changed = [name for name in {**before, **state} if before.get(name) != state.get(name)]
    if edited and changed:
        raise ManifestError(
            f"{manifest}: has been edited, and changed since it was made: {', '.join(changed)}. To keep the edits: "
            f"data=manifest data.manifest={manifest} data.share_store=true; to have it made anew: delete it"
        )
    if edited and log_reason:
        log.info("%s: edited since it was made, and used as it is", manifest)
    if changed and log_reason:
        log.warning("%s: made anew, because changed: %s", manifest, ", ".join(changed))
    return not changed


def file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
