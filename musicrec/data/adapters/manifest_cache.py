"""Keep manifests on disk with a record of their sources, and detect edits of the user."""

import hashlib
import json
import logging
from pathlib import Path

import polars as pl

from musicrec.data.manifest import write_manifest
from musicrec.errors import ManifestError
from musicrec.system.atomic_write import move_file, write_json

log = logging.getLogger(__name__)


def save_manifest(frame: pl.DataFrame, manifest: Path, state: dict) -> None:
    """Write a manifest, and beside it a JSON file with the state of its sources.

    The JSON file is written first, with the digests of the new and of the old manifest. So if the program is killed in
    between, neither manifest is taken for an edited one.

    Args:
        frame: The manifest.
        manifest: Path of the manifest.
        state: {name of a source: what it was}, for `is_up_to_date`.
    """
    new = manifest.with_stem(f".{manifest.stem}-new")
    write_manifest(frame, new)
    record = {
        "state": state,
        "sha256": file_digest(new),
        "before": file_digest(manifest) if manifest.is_file() else None,
    }
    write_json(manifest.with_suffix(".json"), record, error=ManifestError)
    move_file(new, manifest)


def is_up_to_date(manifest: Path, state: dict, *, log_reason: bool = True) -> bool:
    """Return whether a manifest can be used as it is.

    Args:
        manifest: Path of the manifest.
        state: {name of a source: what it is now}.
        log_reason: Log that the manifest was edited, or why it has to be made again.

    Returns:
        False if there is no manifest or its sources changed.

    Raises:
        ManifestError: If the user has to decide: the manifest was edited and its sources changed, or musicrec did not
            write it.
    """
    if not manifest.is_file():
        return False
    try:
        record = json.loads(manifest.with_suffix(".json").read_text())
        before, now = dict(record["state"]), file_digest(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        raise ManifestError(
            f"{manifest}: musicrec did not write this file (its record {manifest.with_suffix('.json').name} is missing "
            f"or damaged). To use it: data=manifest data.manifest={manifest} data.share_store=true. To replace it: "
            "delete it"
        ) from None
    edited = now != record["sha256"]
    if edited and now == record.get("before"):
        return False  # the program was killed between writing the record and the manifest
    changed = [name for name in {**before, **state} if before.get(name) != state.get(name)]
    if edited and changed:
        raise ManifestError(
            f"{manifest}: was edited, and these sources changed: {', '.join(changed)}. To keep the edits: "
            f"data=manifest data.manifest={manifest} data.share_store=true. To make it again: delete it"
        )
    if edited and log_reason:
        log.info("%s: was edited; used as it is", manifest)
    if changed and log_reason:
        log.warning("%s: made again, because these sources changed: %s", manifest, ", ".join(changed))
    return not changed


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
