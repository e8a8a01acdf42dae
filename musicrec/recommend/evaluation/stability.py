"""The same queries after their audio was changed: encoded as MP3, played higher, played faster."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from musicrec.recommend.evaluation.rankers import Query
from musicrec.recommend.track import Track, split_embedding
from musicrec.system.atomic_write import atomic_write

if TYPE_CHECKING:
    from musicrec.deformations.base import Deformation
    from musicrec.export.analyzer import TrackAnalyzer
    from musicrec.recommend.exports import ExportRef


@dataclass(frozen=True, kw_only=True, eq=False)
class ChangedQueries:
    """Queries as they are, and after their audio was changed.

    Attributes:
        clean: The queries as they are. They are analysed from the same mono waveform as the changed ones, so that only
            the change differs.
        by_change: {change: the same queries in the same order}.
    """

    clean: Sequence[Query]
    by_change: Mapping[str, Sequence[Query]]


def changed_queries(
    tracks: Sequence[Track],
    rows: Sequence[int],
    *,
    analyzer: "TrackAnalyzer",
    exports: "Sequence[ExportRef]",
    changes: "Mapping[str, Deformation]",
    cache: Path,
    more: Callable[[np.ndarray], Mapping[str, np.ndarray]] = lambda waveform: {},
    advance: Callable[[], object] = lambda: None,
) -> ChangedQueries:
    """Analyse some tracks of a library again, as they are and changed.

    Answers are kept in a folder; a second evaluation of the same tracks with the same models reads them.

    Args:
        tracks: The tracks of the library. Their files must be there.
        rows: The rows of the queries.
        analyzer: The models of the library.
        exports: What the library says of them.
        changes: {name: deformation}.
        cache: The folder.
        more: Computes further blocks from the waveform, (samples,) float32 at the sample rate of the models.
        advance: Is called when a track has been analysed.

    Raises:
        AudioError: A file cannot be decoded.
    """
    from musicrec.audio.decode import decode

    found: dict[str, list[Query]] = {name: [] for name in ("", *changes)}
    models = [f"{export.name} {export.sha256}" for export in exports]
    for row in rows:
        waveform: np.ndarray | None = None
        for name, queries in found.items():
            what = "/".join([tracks[row].audio_hash, _described(changes.get(name)), str(analyzer.settings), *models])
            file = cache / f"{hashlib.blake2b(what.encode(), digest_size=16).hexdigest()}.npz"
            values = _read(file)
            if values is None:
                if waveform is None:
                    waveform = decode(tracks[row].path, sample_rate=analyzer.sample_rate)
                heard = _changed(waveform, changes[name], analyzer.sample_rate) if name else waveform
                values = _values(analyzer, heard, exports) | dict(more(heard))
                with atomic_write(file, "wb") as out:
                    np.savez(out, **values)  # type: ignore[arg-type]  # mypy takes the names for options
            queries.append(Query(row=int(row), values=values))
        advance()
    return ChangedQueries(clean=found.pop(""), by_change=found)


def _changed(waveform: np.ndarray, change: "Deformation", sample_rate: int) -> np.ndarray:
    import torch

    samples = int(len(waveform) / max(change.input_ratio, 1.0))
    done = change(torch.from_numpy(waveform)[None], samples=samples, sample_rate=sample_rate, seeds=[0])
    return done.waveform[0].clamp(-1, 1).numpy()


def _values(analyzer: "TrackAnalyzer", waveform: np.ndarray, exports: "Sequence[ExportRef]") -> dict[str, np.ndarray]:
    """Return the answers in the form of `musicrec.recommend.library.values_of`."""
    from musicrec.audio.decode import Decoded

    answer = analyzer.analyze(Decoded(waveform))
    descriptors = {name: np.array([value], np.float32) for name, value in answer.descriptors.items()}
    varying = {"variation": answer.variation} if len(answer.variation) else {}
    return descriptors | answer.probabilities | split_embedding(answer.embedding, exports) | varying


def _described(change: "Deformation | None") -> str:
    return "" if change is None else f"{type(change).__name__} {sorted(vars(change).items())}"


def _read(file: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError):
        return None
