"""Pooling chunks into tracks: against results by hand, in any order, and in two processes."""

import math
import os
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from musicrec.training.pooling import POOLINGS, TrackPooling, sureness

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
