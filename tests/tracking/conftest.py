"""Reader for the files that W&B writes offline."""

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import wandb

os.environ.setdefault("WANDB_X_SERVICE_WAIT", "300")  # seconds until W&B's process has started, 30 by default
os.environ.setdefault("WANDB_INIT_TIMEOUT", "300")  # seconds until it has begun a run, 90 by default

BLOCK, HEADER = 32768, struct.Struct("<IHB")  # the log format of LevelDB, which W&B uses: checksum, length, type
FIRST_OR_MIDDLE = (2, 3)


@dataclass
class OfflineRun:
    """The content of one .wandb file. history: {key: [values]}, with nested keys joined by dots."""

    folder: Path
    run: object = None
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: dict[str, list] = field(default_factory=dict)
    artifacts: dict[str, object] = field(default_factory=dict)
    exit_code: int | None = None


def records(path: Path) -> Iterator[object]:
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + HEADER.size <= len(data):
        left = BLOCK - at % BLOCK
        if left < HEADER.size:  # what is left of a block is padding
            at += left
            continue
        _, length, kind = HEADER.unpack_from(data, at)
        at += HEADER.size
        whole += data[at : at + length]
        at += length
        if kind not in FIRST_OR_MIDDLE:
            yield Record.FromString(whole)
            whole = b""


def merge(values: dict, updates: object) -> dict:
    for item in updates:
        values[".".join(item.nested_key) or item.key] = json.loads(item.value_json)
    return values


@pytest.fixture(scope="session")
def offline_runs() -> Callable[[Path], list[OfflineRun]]:
    """Return a function that reads the W&B runs in a run folder."""

    def read(folder: Path) -> list[OfflineRun]:
        # W&B writes the files in a process of its own. On a busy machine `wandb.finish` returns before the last records
        # are on the disk; `teardown` returns when the process has ended, and does nothing if there is none.
        wandb.teardown()
        found = []
        for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
            found.append(run := OfflineRun(path.parent))
            for record in records(path):
                kind = record.WhichOneof("record_type")
                if kind == "run":
                    run.run = record.run
                    merge(run.config, record.run.config.update)
                elif kind == "config":
                    merge(run.config, record.config.update)
                elif kind == "summary":
                    merge(run.summary, record.summary.update)
                elif kind == "history":
                    for key, value in merge({}, record.history.item).items():
                        run.history.setdefault(key, []).append(value)
                elif kind == "artifact":
                    run.artifacts[record.artifact.name] = record.artifact
                elif kind == "exit":
                    run.exit_code = record.exit.exit_code
        return found

    return read
