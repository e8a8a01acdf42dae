"""Libraries of the format before, which are read as they are and turned into the newest by the first write."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.recommend.library import Changes
from tests.recommend.lance.changes import changes_of

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary


@pytest.fixture
def format_1(lance: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of two tracks, made as format 1 had its tables: with the ends of a track in the column `passages`."""
    import pyarrow as pa

    from musicrec.recommend.lance import commits, schema

    place = Path(lance.path.removeprefix("lance:")).parent / "old"
    columns = [field for field in schema.SCHEMAS["recordings"] if field.name not in ("ends", "peaks")]
    old = schema.SCHEMAS | {"recordings": pa.schema(columns)}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMAS", old)
        patch.setattr(schema, "FORMAT", 1)
        patch.setattr(schema, "upgrade", lambda touch, version: None)
        patch.setattr(
            "musicrec.recommend.lance.schema.to_bytes", lambda passages: passages.values.astype("<f2").tobytes()
        )
        commits.create(str(place), lance._database.state().described)
        with closing(type(lance).open(place)) as library:
            values = np.float32([[1, 2, 3], [4, 5, 6]])
            ends = Passages(values=values, start_s=np.zeros(2, np.float32), end_s=np.ones(2, np.float32))
            library.save(changes_of([dataclasses.replace(track, passages=ends) for track in make_tracks(2)]))
    return place


def seen(library: "LanceLibrary") -> tuple:
    tracks, values = library.read()
    passages = [(one.values.tolist(), one.start_s.tolist()) for one in library.passages(library.present().ids.tolist())]
    assert library.peaks(library.present().ids.tolist()) == [None, None]
    return [track.path for track in tracks], values["embedding"].tolist(), passages, library.incomplete()


def test_format_1_is_read_and_turned_by_the_first_write(lance: "LanceLibrary", format_1: Path, make_tracks: Callable):
    with closing(type(lance).open(format_1)) as library, closing(type(lance).open(format_1)) as reader:
        as_it_was = seen(library)
        assert as_it_was[2] == [([[1, 2, 3], [4, 5, 6]], [0, 30])] * 2 and as_it_was[3] == {"0000", "0001"}
        assert library._database.state().format == 1, "reading writes nothing"
        library.save(Changes(missing=["/no such file"]))
        assert library._database.state().format == 2
        assert seen(library) == seen(reader) == as_it_was and library.problems() == []
        (track, _) = make_tracks(2)
        starts = np.arange(3, dtype=np.float32)
        whole = Passages(values=np.ones((3, 3), np.float32), start_s=starts, end_s=starts + 1)
        changes = changes_of([dataclasses.replace(track, passages=whole)])
        changes.recordings = [dataclasses.replace(changes.recordings[0], fingerprint=b"")]
        library.save(changes)
        assert library.incomplete() == {"0001"} and seen(reader)[2][0][1] == [0, 1, 2]
        library.tidy()
    with closing(type(lance).open(format_1)) as library:
        assert library.incomplete() == {"0001"} and len(library) == 2


def test_a_format_of_the_future_is_refused(lance: "LanceLibrary"):
    lance._database._state_table.update(values={"format": 99})
    with pytest.raises(LibraryError, match="is a library of format 99, but this version reads formats up to 2; update"):
        type(lance).open(lance.path)
