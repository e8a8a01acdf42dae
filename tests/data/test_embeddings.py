"""Embeddings are computed once, found again by content, and read like chunks."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from musicrec.audio.chunks import all_chunk_starts
from musicrec.data.augmentation import Augmentation
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.embedding_table import EmbeddingTable
from musicrec.data.embeddings import CachedEmbeddings, EmbeddingStore
from musicrec.data.manifest import read_manifest
from musicrec.data.store import WaveformStore, build_store
from musicrec.deformations.gain import Gain
from musicrec.errors import ConfigError, ManifestError
from musicrec.heads.beats import BeatHead
from musicrec.heads.classes import ClassHead
from musicrec.models.encoders import AudioEncoder
from musicrec.models.frontends.mel import MelSpectrogram

CHUNK = 32_000


class Levels(nn.Module):
    """An encoder whose embedding is the mean level of each of 8 bands; counts the chunks that it hears."""

    n_mels, chunk_samples, embedding_size = 8, CHUNK, 8

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.settings, self.chunks, self.gain = {"gain": gain}, 0, nn.Parameter(torch.tensor(gain))

    def forward(self, decibels: Tensor) -> Tensor:
        self.chunks += len(decibels)
        return self.gain * decibels.mean(dim=3)[:, 0]


def encoder(**settings) -> AudioEncoder:
    return AudioEncoder(network=Levels(**settings), frontend=MelSpectrogram(n_mels=8))


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, WaveformStore]:
    frame = read_manifest(tiny_music).head(5)
    return frame, build_store(frame, tmp_path_factory.mktemp("store"), progress=False)


def test_embeddings_are_those_of_the_chunks(music, tmp_path: Path):
    frame, store = music
    found = encoder()
    embedded = CachedEmbeddings(found, folder=tmp_path).open(frame, store)
    tracks, starts = all_chunk_starts(store.lengths, CHUNK)
    chunks = torch.from_numpy(store.read(tracks, starts, CHUNK))
    expected = found.network(found.frontend(chunks)).detach().numpy()
    assert embedded.lengths.tolist() == np.bincount(tracks).tolist()
    number = np.arange(len(tracks)) - np.searchsorted(tracks, tracks)
    assert np.allclose(embedded.read(tracks, number, 1), expected, atol=1e-4)


def test_nothing_is_computed_twice(music, tmp_path: Path):
    frame, store = music
    first, again, other = encoder(), encoder(), encoder(gain=2.0)
    one = CachedEmbeddings(first, folder=tmp_path).open(frame.head(3), store)
    heard = first.network.chunks
    assert heard == one.lengths.sum() > 0
    more = CachedEmbeddings(again, folder=tmp_path).open(frame, store)
    assert again.network.chunks == more.lengths.sum() - heard, "only those of the other two tracks"
    assert np.array_equal(more.read(np.array([1]), np.array([0]), 1), one.read(np.array([1]), np.array([0]), 1))
    CachedEmbeddings(other, folder=tmp_path).open(frame, store)
    assert other.network.chunks == more.lengths.sum(), "other weights"
    CachedEmbeddings(fewer := encoder(), folder=tmp_path).open(frame, store, eval_chunks=1)
    assert fewer.network.chunks == 5, "another number of chunks"


def test_embeddings_are_found_by_content_not_by_name(music, tmp_path: Path):
    """A copy of a manifest with other names and another store, whose audio is the same."""
    frame, store = music
    CachedEmbeddings(encoder(), folder=tmp_path / "embeddings").open(frame, store)
    renamed = frame.reverse().with_columns(track_id="other_" + pl.col("track_id"))
    elsewhere = build_store(renamed, tmp_path / "store", progress=False)
    embedded = CachedEmbeddings(again := encoder(), folder=tmp_path / "embeddings").open(renamed, elsewhere)
    assert again.network.chunks == 0 and len(embedded.lengths) == 5


def test_a_damaged_file_is_computed_again(music, tmp_path: Path):
    frame, store = music
    CachedEmbeddings(encoder(), folder=tmp_path).open(frame, store)
    (file,) = tmp_path.glob("*/*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    embedded = CachedEmbeddings(again := encoder(), folder=tmp_path).open(frame, store)
    assert again.network.chunks == embedded.lengths.sum()


def test_batches_hold_embeddings(tiny_music: Path, tmp_path: Path):
    data = MusicDataModule(
        manifest=tiny_music, stores=tmp_path / "stores", heads=[ClassHead(name="genre", column="genre")],
        frontend=MelSpectrogram(n_mels=8), chunk_samples=CHUNK,
        embeddings=CachedEmbeddings(encoder(), folder=tmp_path),
    )  # fmt: skip
    data.open()
    tracks = data.tracks("train")
    batches = list(data.train_dataloader())
    assert all(data.prepare(batch)["mel"].shape[1:] == (8,) for batch in batches)
    assert sum(len(batch["track"]) for batch in batches) > 0
    (loader,) = data.test_dataloader()
    counts = np.bincount(np.concatenate([batch["track"].numpy() for batch in loader]))
    expected = np.ceil(data.store.lengths[data.store.rows(data.tracks("test")["track_id"])] / CHUNK)
    assert counts.tolist() == expected.tolist(), "every chunk once"
    assert len(tracks) > 1


def test_only_what_is_used_is_embedded(tiny_music: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """In training no track without a label; in evaluation none of the other splits."""
    caplog.set_level("INFO")
    frame = read_manifest(tiny_music)
    unlabelled = frame.filter(split="train")["track_id"][0]
    manifest = tiny_music.parent / f"{tmp_path.name}.csv"
    genre = pl.when(pl.col("track_id") == unlabelled).then(None).otherwise("genre")
    frame.select("track_id", "path", "split", genre=genre).write_csv(manifest)

    def embedded(*, fit: bool) -> tuple[MusicDataModule, int]:
        found = encoder(gain=1.0 + fit)
        data = MusicDataModule(
            manifest=manifest, stores=tmp_path / "stores", heads=[ClassHead(name="genre", column="genre")],
            frontend=MelSpectrogram(n_mels=8), chunk_samples=CHUNK,
            embeddings=CachedEmbeddings(found, folder=tmp_path),
        )  # fmt: skip
        data.open(fit=fit)
        return data, found.network.chunks

    def chunks_of(data: MusicDataModule, names: pl.Series) -> int:
        return int(np.ceil(data.store.lengths[data.store.rows(names)] / CHUNK).sum())

    data, heard = embedded(fit=True)
    used = frame.filter(pl.col("track_id") != unlabelled)
    assert heard == chunks_of(data, used["track_id"]) and unlabelled not in data.tracks("train")["track_id"]
    assert f"1 of {frame.height} tracks have no label" in caplog.text
    data, heard = embedded(fit=False)
    assert heard == chunks_of(data, frame.filter(split="test")["track_id"])


def test_embeddings_cannot_be_augmented(tiny_music: Path, tmp_path: Path):
    data = MusicDataModule(
        manifest=tiny_music, stores=tmp_path / "stores", heads=[ClassHead(name="genre", column="genre")],
        frontend=MelSpectrogram(n_mels=8), chunk_samples=CHUNK, augmentation=Augmentation(waveform=[Gain(gain_db=3.0)]),
        embeddings=CachedEmbeddings(encoder(), folder=tmp_path),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="augment=none"):
        data.open()


def test_heads_that_answer_for_every_frame_are_refused(tiny_music: Path, tmp_path: Path):
    frame = pl.read_csv(tiny_music).with_columns(pl.lit("0.5/1 1.0/2").alias("beats"))
    frame.write_csv(tiny_music.parent / "with_beats.csv")
    data = MusicDataModule(
        manifest=tiny_music.parent / "with_beats.csv", stores=tmp_path / "stores", heads=[BeatHead()],
        frontend=MelSpectrogram(n_mels=8), chunk_samples=CHUNK,
        embeddings=CachedEmbeddings(encoder(), folder=tmp_path),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="task=beats: a probe hears one embedding per chunk"):
        data.open()


# -- tables ------------------------------------------------------------------------------------------------------------
FRAME = pl.DataFrame({"track_id": ["a", "b", "c"]})
VALUES = np.arange(8, dtype=np.float32).reshape(4, 2)


def written(path: Path, kind: str) -> Path:
    """Write a table with one row for a, two rows for c, which are two chunks, and one of another track."""
    ids = ["c", "a", "c", "z"]
    if kind == "npy":
        np.save(path / "table.npy", VALUES)
        (path / "table.txt").write_text("\n".join(ids) + "\n")
        return path / "table.npy"
    columns = {"lists": {"embedding": VALUES.tolist()}, "columns": {"x": VALUES[:, 0], "y": VALUES[:, 1]}}[kind]
    pl.DataFrame({"track_id": ids, **columns}).write_parquet(path / "table.parquet")
    return path / "table.parquet"


@pytest.mark.parametrize("kind", ["npy", "lists", "columns"])
def test_a_table_is_read(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    table = EmbeddingTable(path=written(tmp_path, kind))
    embedded = table.open(FRAME, None)
    assert embedded.rows(FRAME["track_id"]).tolist() == [0, -1, 1] and embedded.lengths.tolist() == [1, 2]
    assert embedded.read(np.array([0, 1, 1]), np.array([0, 0, 1]), 1).tolist() == [[2, 3], [0, 1], [4, 5]]
    assert table.probe["embedding_size"] == 2 and table.probe["encoder"] is None
    assert "no row for 1 track, left out: b" in caplog.text


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"id": ["a"], "x": [1.0]}), "no column track_id"),
        (pl.DataFrame({"track_id": ["a"], "x": ["text"]}), "columns of numbers only .others: x"),
        (pl.DataFrame({"track_id": ["a"], "x": [np.nan]}), r"row 1 .a. holds NaN"),
        (pl.DataFrame({"track_id": ["a", "b"], "x": [[1.0], [1.0, 2.0]]}), "1 to 2 numbers"),
        (pl.DataFrame({"track_id": ["q"], "x": [1.0]}), "such as 'q', those of the manifest such as 'a'"),
        (
            pl.DataFrame({"track_id": ["a"], "x": [None]}, schema_overrides={"x": pl.Float64}),
            "row 1 of column x is empty",
        ),
        (pl.DataFrame({"track_id": ["a", "b"], "x": [[1.0], None]}), "row 2 of column x is empty"),
        (pl.DataFrame({"track_id": ["a", None], "x": [1.0, 2.0]}), "row 2 of column track_id is empty"),
        (pl.DataFrame({"track_id": ["a"], "x": [[1.0, None]]}), r"row 1 .a. holds NaN"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained(frame: pl.DataFrame, message: str, tmp_path: Path):
    frame.write_parquet(tmp_path / "table.parquet")
    with pytest.raises(ManifestError, match=message):
        EmbeddingTable(path=tmp_path / "table.parquet").open(FRAME, None)


def test_names_and_rows_of_a_numpy_file_must_agree(tmp_path: Path):
    path = written(tmp_path, "npy")
    path.with_suffix(".txt").write_text("a\nb\n")
    with pytest.raises(ManifestError, match=r"has 4 rows, but .*table.txt has 2 lines"):
        EmbeddingTable(path=path).open(FRAME, None)
    path.with_suffix(".txt").unlink()
    with pytest.raises(ManifestError, match=r"table\.txt"):
        EmbeddingTable(path=path).open(FRAME, None)
    path.with_suffix(".txt").write_text("p\nq\nr\ns\n")
    with pytest.raises(ManifestError, match="such as 'p', those of the manifest such as 'a'"):
        EmbeddingTable(path=path).open(FRAME, None)
    path.unlink()
    with pytest.raises(ManifestError, match=r"No such file.*table\.npy"):
        EmbeddingTable(path=path).open(FRAME, None)
    with pytest.raises(ManifestError, match="give a Parquet file"):
        EmbeddingTable(path=tmp_path / "table.csv").open(FRAME, None)


def test_an_embedding_store_reads_by_row_and_chunk():
    store = EmbeddingStore(["x", "y"], [np.zeros((1, 2), np.float32), np.ones((3, 2), np.float32)])
    assert store.lengths.tolist() == [1, 3]
    assert store.rows(pl.Series(["y", "none", "x"])).tolist() == [1, -1, 0]
