"""Pooling chunks into tracks: against results by hand, in any order, and in two processes."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from musicrec.heads.beats import BeatHead
from musicrec.heads.frames import join_chunks
from musicrec.heads.tempo import TempoHead
from musicrec.training.pooling import POOLINGS, FramePooling, TrackPooling, pooling_of, sureness

CHUNKS = torch.rand(7, 3, generator=torch.Generator().manual_seed(0))
CHUNKS = CHUNKS / CHUNKS.sum(dim=1, keepdim=True)
TRACK = torch.tensor([0, 1, 1, 0, 1, 1, 0])


def by_hand(pooling: str, chunks: torch.Tensor) -> torch.Tensor:
    if pooling == "mean":
        return chunks.mean(dim=0)
    if pooling == "max":
        return chunks.max(dim=0).values / chunks.max(dim=0).values.sum()
    weights = torch.tensor([1 + float((c * c.log()).sum()) / math.log(3) for c in chunks])
    return (weights[:, None] * chunks).sum(dim=0) / weights.sum()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_chunks_does_not_matter(pooling: str):
    pool = TrackPooling(3, 3, pooling=pooling)
    pool.update(CHUNKS[4:], TRACK[4:])
    pool.update(CHUNKS[:4], TRACK[:4])
    result = pool.compute()
    for track in (0, 1):
        torch.testing.assert_close(result[track], by_hand(pooling, CHUNKS[track == TRACK]))
    assert result[2].isnan().all(), "no chunk was seen"


def test_attention_favours_confident_chunks():
    pool = TrackPooling(1, 2, pooling="attention")
    pool.update(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([0, 0]))
    assert pool.compute()[0].tolist() == pytest.approx([1, 0], abs=1e-5)
    tags = sureness(torch.tensor([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0]], dtype=torch.float64), "sigmoid")
    entropy = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.1))
    assert tags.tolist() == pytest.approx([0, 1 - entropy, 1], abs=1e-5)
    pool = TrackPooling(1, 2, pooling="attention")
    pool.update(torch.full((3, 2), 0.5), torch.zeros(3, dtype=torch.int64))
    assert pool.compute()[0].tolist() == pytest.approx([0.5, 0.5]), "no chunk is sure: the mean"


def share(rank: int, folder: str) -> None:
    """Pool the chunks of one of two processes; the first one writes the joint result."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    results = {}
    for pooling in POOLINGS:
        pool = TrackPooling(3, 3, pooling=pooling)
        pool.update(CHUNKS[rank::2], TRACK[rank::2])
        results[pooling] = pool.compute()
    if rank == 0:
        torch.save(results, os.path.join(folder, "results.pt"))
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_every_chunk_once(tmp_path: Path):
    mp.spawn(share, args=(str(tmp_path),), nprocs=2)
    together = torch.load(tmp_path / "results.pt", weights_only=True)
    for pooling in POOLINGS:
        alone = TrackPooling(3, 3, pooling=pooling)
        alone.update(CHUNKS, TRACK)
        torch.testing.assert_close(together[pooling], alone.compute(), equal_nan=True)


def test_frames_are_joined_in_any_order_as_for_whole_tracks():
    rate, longest_s = 50.0, 9.0
    starts = [[0.0, 2.0, 4.02], [1.0, 5.0]]  # the second track is not heard before 1 s, and lasts 8 s
    chunks = [torch.rand(len(of_track), 2, 201, generator=torch.Generator().manual_seed(1)) for of_track in starts]
    expected = [
        join_chunks(one.numpy(), np.array(of_track), frame_rate=rate, duration_s=longest_s)
        for one, of_track in zip(chunks, starts, strict=True)
    ]
    pool = pooling_of(BeatHead(frame_rate=rate), 2, longest_s=longest_s, pooling="mean")
    assert isinstance(pool, FramePooling)
    order = torch.tensor([3, 0, 4, 2, 1])
    track, start_s = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([*starts[0], *starts[1]], dtype=torch.float64)
    together = torch.cat(chunks)
    for part in (order[:2], order[2:]):
        pool.update(together[part], track[part], start_s[part])
    np.testing.assert_allclose(pool.compute().numpy(), np.stack(expected), atol=1e-6)
    assert pool.compute()[1, :, :50].isnan().all()
    assert isinstance(pooling_of(TempoHead(), 2, longest_s=longest_s, pooling="max"), TrackPooling)
