"""Measure how often 95 % intervals contain the true value, on simulated tags whose true metrics are known.

    python benchmarks/intervals.py --tracks 400 --worlds 250

There are eight tags, which 5 to 50 % of the tracks have. Scores are normally distributed; those of tracks with and
without a tag are 0.6 to 1.6 standard deviations apart. The true value is the metric of 400,000 tracks. The program
prints the share of simulated datasets whose interval contains it, for plain (percentile) and bias-corrected intervals.
"""

import argparse

import numpy as np
import torch

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads.metrics import Scores, multi_label, unit_weights

RATES = torch.tensor([0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5])
APART = torch.linspace(0.6, 1.6, len(RATES))
HALVES = [0.5] * len(RATES)


def draw(tracks: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.bernoulli(RATES.expand(tracks, -1), generator=generator)
    return (torch.randn(target.shape, generator=generator) + APART * target).sigmoid(), target


def score(scores: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> Scores:
    return multi_label(scores, target, weights, classes=[str(rate) for rate in RATES.tolist()], thresholds=HALVES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=400)
    parser.add_argument("--worlds", type=int, default=250)
    parser.add_argument("--resamples", type=int, default=400)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(1)
    truth = score(*draw(400_000, generator), unit_weights(400_000)).values()
    plain, corrected = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for world in range(options.worlds):
        scores, target = draw(options.tracks, generator)
        here = score(scores, target, unit_weights(options.tracks)).values()
        bootstrap = Bootstrap(resamples=options.resamples, seed=world)
        drawn = bootstrap.scores(
            lambda weights, scores=scores, target=target: score(scores, target, weights),
            np.arange(options.tracks),
            classes=len(RATES),
        )
        for name, values in drawn.overall.items():
            low, high = np.quantile(values, [0.025, 0.975])
            plain[name] += low <= truth[name] <= high
            low, high = bootstrap.interval(values, here[name]).tolist()
            corrected[name] += low <= truth[name] <= high
    print(f"{'':14} truth  plain  bias-corrected  ({options.worlds} worlds of {options.tracks} tracks)")
    for name, value in truth.items():
        print(f"{name:14} {value:.3f}  {plain[name] / options.worlds:.3f}  {corrected[name] / options.worlds:.3f}")


if __name__ == "__main__":
    main()
