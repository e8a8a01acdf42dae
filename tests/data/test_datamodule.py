"""Which chunks are read and how they are prepared on the device, with a store whose samples are given by a formula."""

import math
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from musicrec.data.augmentation import Augmentation
from musicrec.data.chunk_sampling import AllChunks, ChunkDataset, RandomChunks, Sampling
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.subset import TrackSelection
from musicrec.deformations.gain import Gain
from musicrec.deformations.noise import Noise
from musicrec.deformations.pitch_shift import PitchShift
from musicrec.deformations.resample import RandomResample, Resample
from musicrec.deformations.sometimes import Sometimes
from musicrec.deformations.spec_augment import SpecAugment
from musicrec.deformations.time_stretch import TimeStretch
from musicrec.errors import ManifestError
from musicrec.heads.beats import BeatHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram

LENGTHS = np.array([5, 10, 20, 23, 1, 40, 100])
RATE = 16_000


class Store:
    """A store in which sample i of row r is 1000 r + i + 1, with zeros past the end of a track."""

    sample_rate = RATE

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = np.asarray(lengths)
        self.index = {f"t{row}": row for row in range(len(lengths))}

    def rows(self, track_ids: pl.Series) -> np.ndarray:
        return np.array([self.index[name] for name in track_ids])

    def read(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        position = starts[:, None] + np.arange(samples)
        inside = position < self.lengths[rows][:, None]
        return np.where(inside, (1000 * rows[:, None] + position + 1) % 2**15, 0).astype(np.int16)


def data_module(
    lengths: np.ndarray, *, bpm: list | None = None, chunk_samples: int = 4000, workers: int = 0, **augmentation
) -> MusicDataModule:
    """Return a module that is ready to give loaders of split "train", without a file."""
    tracks = len(lengths)
    data = MusicDataModule(
        manifest="songs.csv",
        stores="nowhere",
        heads=[KeyHead(), TempoHead()],
        frontend=MelSpectrogram(sample_rate=RATE, n_mels=96),
        chunk_samples=chunk_samples,
        sampling=Sampling(batch_size=4, chunks_per_track=2, workers=workers),
        augmentation=Augmentation(**augmentation),
    )
    data.store, data.manifest_path = Store(lengths), Path("songs.csv")
    data.frame = pl.DataFrame(
        {
            "track_id": [f"t{row}" for row in range(tracks)],
            "split": ["train"] * tracks,
            "key": pl.Series([row % 12 for row in range(tracks)], dtype=pl.Int8),
            "mode": ["major"] * tracks,
            "bpm": bpm or [100.0 + row for row in range(tracks)],
        }
    )
    return data


# -- which chunks ------------------------------------------------------------------------------------------------------
def test_all_chunks_cover_every_sample_and_stay_within_the_track():
    chunks = list(AllChunks(LENGTHS, samples=10))
    assert len(set(chunks)) == len(chunks)
    for track, length in enumerate(LENGTHS):
        heard = np.zeros(length, dtype=int)
        for start in (s for t, s in chunks if t == track):
            assert 0 <= start <= max(0, length - 10)
            heard[start : start + 10] += 1
        assert heard.min() == 1, f"track {track}: a sample is in no chunk"
    assert Counter(t for t, _ in chunks) == {0: 1, 1: 1, 2: 2, 3: 3, 4: 1, 5: 4, 6: 10}, "as few as cover it"
    assert [s for t, s in chunks if t == 2] == [0, 10], "chunks that fit do not overlap"


def test_random_chunks_continue_where_the_training_stopped():
    lengths = np.full(6, 100)
    sampler = RandomChunks(lengths, samples=10, chunks_per_track=3, seed=1)
    whole = list(sampler)
    resumed = RandomChunks(lengths, samples=10, chunks_per_track=3, seed=1, seen=lambda: 5)
    assert list(resumed) == whole[5:] and len(resumed) == len(whole)
    for rank in range(2):
        share = {"rank": rank, "processes": 2}
        mine = list(RandomChunks(lengths, samples=10, chunks_per_track=3, seed=1, **share))
        rest = list(RandomChunks(lengths, samples=10, chunks_per_track=3, seed=1, seen=lambda: 4, **share))
        assert rest == mine[4:]


def test_the_loader_asks_for_the_epoch_when_the_first_batch_is_wanted():
    """Lightning makes the iterator before it sets the epoch, so workers would read ahead with the old epoch."""
    loader = data_module(np.full(8, 9000), workers=1).train_dataloader()
    iterator = iter(loader)
    loader.sampler.set_epoch(3)
    first = next(iterator)["track"].tolist()
    sampler = data_module(np.full(8, 9000)).train_dataloader().sampler
    sampler.set_epoch(3)
    assert first == [track for track, _ in sampler][:4]


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_shares_of_all_chunks_are_disjoint_and_complete(processes: int):
    shares = [list(AllChunks(LENGTHS, samples=10, rank=rank, processes=processes)) for rank in range(processes)]
    assert Counter(chunk for share in shares for chunk in share) == Counter(AllChunks(LENGTHS, samples=10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def random_chunks(*, epoch: int = 0, seed: int = 7, **share: int) -> list[tuple[int, int]]:
    sampler = RandomChunks(LENGTHS, samples=10, chunks_per_track=3, seed=seed, **share)
    sampler.set_epoch(epoch)
    chunks = list(sampler)
    assert len(chunks) == len(sampler)
    return chunks


def test_random_chunks_depend_only_on_seed_and_epoch():
    assert random_chunks(epoch=4) == random_chunks(epoch=4)
    assert random_chunks(epoch=4) != random_chunks(epoch=5)
    assert random_chunks(epoch=4) != random_chunks(epoch=4, seed=8)


def test_random_chunks_take_every_track_equally_often_and_start_within_it():
    chunks = [chunk for epoch in range(60) for chunk in random_chunks(epoch=epoch)]
    assert Counter(track for track, _ in chunks) == dict.fromkeys(range(len(LENGTHS)), 180)
    for track, length in enumerate(LENGTHS):
        starts = {start for t, start in chunks if t == track}
        assert min(starts) == 0 or length == 100
        assert max(starts) <= max(0, length - 10)
    assert {start for t, start in chunks if t == 3} == set(range(14)), "the last start too is drawn"


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_shares_of_random_chunks_are_disjoint_and_equally_long(processes: int):
    whole = random_chunks()
    shares = [random_chunks(rank=rank, processes=processes) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1, "else a process waits for another for ever"
    assert sum(map(len, shares)) == len(whole) // processes * processes
    assert not Counter(chunk for share in shares for chunk in share) - Counter(whole)


# -- what is read ------------------------------------------------------------------------------------------------------
def test_a_batch_holds_the_samples_and_the_targets_of_its_tracks():
    rows = np.array([3, 6, 2])  # of the store, for the tracks 0, 1, 2 of the split
    targets = {"tempo": torch.tensor([100.0, 110.0, math.nan]), "tags": torch.eye(3)}
    dataset = ChunkDataset(Store(LENGTHS), split="train", rows=rows, targets=targets, samples=4)
    batch = dataset.__getitems__([(2, 18), (0, 0), (1, 50)])
    assert batch["waveform"].dtype == torch.int16
    assert batch["waveform"].tolist() == [[2019, 2020, 0, 0], [3001, 3002, 3003, 3004], [6051, 6052, 6053, 6054]]
    assert batch["track"].tolist() == [2, 0, 1]
    assert batch["target"]["tempo"].isnan().tolist() == [True, False, False]
    assert batch["target"]["tempo"][1:].tolist() == [100.0, 110.0]
    assert batch["target"]["tags"].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_labels_with_times_are_those_of_the_chunk():
    beats = BeatHead().encode(pl.DataFrame({"beats": ["0.5/1 1.0/2", None, "2.0/1"]}))
    dataset = ChunkDataset(
        Store(LENGTHS),
        split="train",
        rows=np.array([3, 6, 2]),
        targets={"beats": beats},
        samples=4,
        cuts={"beats": BeatHead().cut},
    )
    batch = dataset.__getitems__([(2, 0), (0, 8), (1, 0)])
    start_s = 8 / Store.sample_rate
    assert batch["start_s"].tolist() == [0, start_s, 0]
    assert batch["target"]["beats"][:2, 0, 0].tolist() == pytest.approx([2.0, 0.5 - start_s])
    assert batch["target"]["beats"][2].isnan().all()
    assert beats[0, 0, 0] == 0.5, "the labels of the tracks stay"


def test_the_training_loader_reads_what_the_deformations_need():
    data = data_module(np.full(9, 20_000), waveform=[RandomResample(max_semitones=4)])
    batches = list(data.train_dataloader())
    samples = math.ceil(4000 * data.augmentation.input_ratio)
    assert [batch["waveform"].shape for batch in batches] == [(4, samples)] * 4, "18 chunks; the last 2 wait"
    for batch in batches:
        first = batch["waveform"][:, 0].long()
        start = (first - 1 - 1000 * batch["track"]) % 2**15
        assert (start <= 20_000 - samples).all()
        assert torch.equal(batch["target"]["tempo"], 100.0 + batch["track"])


# -- what becomes of it ------------------------------------------------------------------------------------------------
def tone(frequency: float, samples: int = 8000) -> torch.Tensor:
    return (0.5 * torch.sin(2 * math.pi * frequency * torch.arange(samples) / RATE) * 32767).round().to(torch.int16)


def peak(mel: torch.Tensor) -> int:
    """Return the loudest mel channel of (1, channels, frames), without the first and last frames."""
    return int(mel[0, :, 3:-3].mean(dim=1).argmax())


def tones(target_bpm: float = 120.0) -> dict:
    target = {"key": torch.full((16,), 9.0), "tempo": torch.full((16,), target_bpm)}
    return {"waveform": tone(1760.0).repeat(16, 1), "track": torch.arange(16), "target": target}


def test_labels_move_together_with_the_audio():
    data = data_module([8000], waveform=[RandomResample(max_semitones=4)])
    moved = data.prepare(tones(), step=3)
    assert moved["mel"].shape == (16, 1, 96, 4000 // 256 + 1)
    shifts = set()
    for mel, key, bpm in zip(moved["mel"], moved["target"]["key"], moved["target"]["tempo"], strict=True):
        shift = round(12 * math.log2(bpm / 120))
        assert float(bpm) == pytest.approx(120 * 2 ** (shift / 12), rel=2e-3)
        assert int(key) == (9 + shift) % 12
        assert peak(mel) == peak(data.frontend(tone(1760 * float(bpm) / 120, 4000)[None])[0]), f"{shift} semitones"
        shifts.add(shift)
    assert len(shifts) > 4 and min(shifts) < 0 < max(shifts)


def test_labels_move_by_all_deformations_of_a_chain():
    chain = [Resample(shift_semitones=2), TimeStretch(rate=1.1), PitchShift(shift_semitones=-3)]
    moved = data_module([8000], waveform=chain).prepare(tones(), step=3)["target"]
    assert (moved["key"] == (9 + 2 - 3) % 12).all(), "A, two up, three down: A flat"
    assert moved["tempo"].tolist() == pytest.approx([120 * 2 ** (2 / 12) * 1.1] * 16, rel=2e-3)


def test_a_tempo_moved_beyond_the_classes_has_no_loss():
    data = data_module([8000], waveform=[TimeStretch(rate=1.5)])
    for bpm, known in ((190.0, True), (210.0, False)):  # 285 and 315; the classes end at 300
        target = data.prepare(tones(bpm), step=3)["target"]["tempo"]
        assert target.tolist() == pytest.approx([1.5 * bpm] * 16)
        loss = TempoHead().loss(torch.randn(16, len(TempoHead().classes)), target)
        assert (loss > 0) == known


def test_labels_stay_with_move_labels_false():
    settings = {"waveform": [Resample(shift_semitones=[-4, 4])]}
    moved = data_module([8000], **settings).prepare(tones(), step=3)
    still = data_module([8000], **settings, move_labels=False).prepare(tones(), step=3)
    assert torch.equal(still["mel"], moved["mel"]), "the same audio"
    assert (still["target"]["key"] == 9).all() and (still["target"]["tempo"] == 120).all()
    assert not torch.equal(still["target"]["tempo"], moved["target"]["tempo"])


def test_without_one_deformation_the_others_draw_the_same():
    def prepared(probability: float) -> torch.Tensor:
        noise = Sometimes(deformation=Noise(snr_db=0.0), probability=probability)
        return data_module([8000], waveform=[noise, Gain(gain_db=[-20, 0])]).prepare(tones(), step=5)["mel"]

    same = (prepared(0.5) == prepared(0.0)).flatten(1).all(dim=1)
    assert 3 < same.sum() < 13, "those that get no noise either way"


def test_deformations_depend_on_the_number_of_the_batch():
    data = data_module([8000], waveform=[RandomResample()], spectrogram=SpecAugment())
    first, again, other = (data.prepare(tones(), step=step) for step in (5, 5, 6))
    assert torch.equal(first["mel"], again["mel"])
    assert torch.equal(first["target"]["tempo"], again["target"]["tempo"])
    assert not torch.equal(first["target"]["tempo"], other["target"]["tempo"])


def test_the_deformation_of_a_track_does_not_depend_on_the_others_in_its_batch():
    data = data_module([8000], waveform=[Resample(shift_semitones=[-4, 4]), Noise(snr_db=[0.0, 20.0])])
    batch = tones()
    together = data.prepare(batch, step=5)
    order = torch.randperm(16)[:5]
    target = {name: values[order] for name, values in batch["target"].items()}
    some = data.prepare({"waveform": batch["waveform"][order], "track": order, "target": target}, step=5)
    torch.testing.assert_close(some["mel"], together["mel"][order], rtol=0, atol=0.02)
    for name, values in some["target"].items():
        assert torch.equal(values, together["target"][name][order])


def test_processes_and_batches_of_one_optimiser_step_draw_differently():
    data = data_module([8000], waveform=[RandomResample()])
    drawn = []
    for rank, batch_number in [(0, 4), (0, 5), (1, 4), (1, 5)]:
        data.trainer = SimpleNamespace(
            training=True,
            global_rank=rank,
            world_size=2,
            global_step=2,
            # when a batch arrives the loop still counts the one before
            fit_loop=SimpleNamespace(total_batch_idx=batch_number - 1),
        )
        arrived = data.on_after_batch_transfer(tones(), 0)["target"]["tempo"]
        assert torch.equal(arrived, data.prepare(tones(), step=batch_number)["target"]["tempo"])
        drawn.append(tuple(arrived.tolist()))
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("trainer", [None, SimpleNamespace(training=False)], ids=["no trainer", "evaluating"])
def test_nothing_is_deformed_outside_training(trainer: SimpleNamespace | None):
    data = data_module([8000], waveform=[RandomResample()], spectrogram=SpecAugment())
    data.trainer = trainer
    batch = tones()
    prepared = data.on_after_batch_transfer(batch, 0)
    assert torch.equal(prepared["mel"], data.frontend(batch["waveform"]))
    assert prepared["target"].keys() == batch["target"].keys()
    for name, target in batch["target"].items():
        assert torch.equal(prepared["target"][name], target)
    assert torch.equal(prepared["track"], batch["track"])


def test_missing_labels_stay_missing_and_the_batch_is_not_modified():
    data = data_module([8000], waveform=[RandomResample(max_semitones=4)])
    batch = tones()
    batch["target"]["key"][::2] = math.nan
    batch["target"]["tempo"][1::2] = math.nan
    moved = data.prepare(batch, step=0)["target"]
    assert moved["key"].isnan().tolist() == [True, False] * 8
    assert moved["tempo"].isnan().tolist() == [False, True] * 8
    assert (batch["target"]["key"][1::2] == 9).all() and (batch["target"]["tempo"][::2] == 120).all()


def test_a_fraction_of_the_training_tracks_changes_neither_vocabulary_nor_what_is_measured(
    tiny_music: Path, tmp_path: Path
):
    def opened(fraction: float) -> MusicDataModule:
        data = MusicDataModule(
            manifest=tiny_music,
            stores=tmp_path,
            heads=[TagHead(name="instruments", columns=("instruments",))],
            frontend=MelSpectrogram(sample_rate=RATE, n_mels=96),
            chunk_samples=4000,
            sampling=Sampling(batch_size=4, chunks_per_track=2),
            selection=TrackSelection(fraction=fraction),
        )
        data.open()
        return data

    few, all_tracks = opened(0.125), opened(1.0)
    assert (len(few.tracks("train")), len(all_tracks.tracks("train"))) == (2, 16)
    assert few.heads == all_tracks.heads and few.manifest_hash == all_tracks.manifest_hash
    assert few.tracks("valid").equals(all_tracks.tracks("valid"))
    assert few.summary()["tracks"] == {"train": 2, "valid": 4, "test": 4}
    assert (few.store.rows(all_tracks.frame["track_id"]) >= 0).all(), "they share a store, which holds all tracks"
    assert len(few.train_dataloader()) == len(all_tracks.train_dataloader()) == 8, "an epoch stays as long"


# -- messages ----------------------------------------------------------------------------------------------------------
def test_chunks_longer_than_the_tracks_give_a_warning():
    data = data_module([16_000, 16_000, 32_000], chunk_samples=32_000)
    message = r"32000 × 1.00 .* the median training track lasts 1.0 s: on average 33% of a chunk will be padding"
    with pytest.warns(UserWarning, match=message):
        data.train_dataloader()


def test_the_warning_counts_what_the_deformations_read():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data_module([4000, 4000, 4000], chunk_samples=4000).train_dataloader()
    with pytest.warns(UserWarning, match=r"chunk_samples=4000 × 1.26 .* 21% of a chunk"):
        data_module([4000] * 3, chunk_samples=4000, waveform=[RandomResample(max_semitones=4)]).train_dataloader()


def test_a_missing_split_is_named():
    with pytest.raises(ManifestError, match=r"songs.csv: no readable track has split 'valid' \(splits there: train\)"):
        data_module([4000]).val_dataloader()


def test_a_missing_column_of_a_head_is_named():
    data = data_module([4000])
    data.frame = data.frame.drop("bpm")
    with pytest.raises(ManifestError, match=r"songs.csv: column .*bpm.*which head 'tempo' reads"):
        data.train_dataloader()


def test_a_head_without_any_label_is_named():
    data = data_module([8000, 8000])
    data.frame = data.frame.with_columns(
        split=pl.Series(["train", "valid"]), key=pl.lit(None, pl.Int64), mode=pl.lit(None, pl.String)
    )
    with pytest.raises(ManifestError, match=r"no track of split 'train' has a label that head 'key' can use; fill"):
        data._check_labels()
