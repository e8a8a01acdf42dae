"""How far the answers of models move if they hear a part of a track, and if the track is encoded as MP3.

    python benchmarks/track_coverage.py --folder MUSIC --tracks 20 --least-s 150

Files are drawn at random, as many from each folder as from the others. Every chunk of a track is answered once, in the
original and in each MP3; the answers of a part are means over those of its chunks that the analysis hears with this
coverage. Printed are, over tracks, how far the largest probability moves (mean and 95th percentile), the mean over all
classes, the embedding (1 - cosine), and on how many tracks another class becomes the most probable one.
"""

import argparse
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from musicrec.audio.decode import decode_track
from musicrec.audio.ffmpeg_source import ffmpeg_program
from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.config.explain import one_message
from musicrec.export import catalogue
from musicrec.export.chunk_batches import chunk_batches, heard_starts
from musicrec.export.description import Model
from musicrec.export.folder import read_export

BITRATES = (192, 128)  # kbit/s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", default="tempo,key,musicnn_mtt,musicnn_msd", help="the first head of each counts")
    parser.add_argument("--folder", type=Path, required=True, help="with music, searched to any depth")
    parser.add_argument("--tracks", type=int, default=20, help="(default %(default)s)")
    parser.add_argument("--least-s", type=float, default=150, help="shorter files are left out (default %(default)s)")
    parser.add_argument("--coverage", type=float, nargs="+", default=[0.75, 0.6, 0.5, 0.33], help="shares to compare")
    arguments = parser.parse_args()
    with one_message():
        models = [read_export(catalogue.resolve(name)).for_inference() for name in arguments.exports.split(",")]
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    lengths = []
    for path in drawn(arguments.folder):
        rate = models[0].sample_rate
        waveform = decode_track(path, sample_rate=rate).waveform
        if len(waveform) < arguments.least_s * rate:
            continue
        encoded = {bitrate: mp3(path, bitrate, rate) for bitrate in BITRATES}
        for model in models:
            head = model.heads[0].name
            chunks = answers(model, waveform)
            whole = mean(*chunks)
            every = heard_starts(model.network, model.frontend, len(waveform))
            for share in arguments.coverage:
                heard = np.isin(every, heard_starts(model.network, model.frontend, len(waveform), coverage=share))
                moved = change(whole, mean(*(values[heard] for values in chunks)))
                rows.setdefault((head, f"{share:g}"), []).append(moved)
            for bitrate, other in encoded.items():
                moved = change(whole, mean(*answers(model, other)))
                rows.setdefault((head, f"MP3, {bitrate} kbit/s"), []).append(moved)
        lengths.append(len(waveform) / rate)
        print(f"{len(lengths)}: {path.name}, {lengths[-1]:.0f} s", flush=True)
        if len(lengths) == arguments.tracks:
            break
    print(f"{len(lengths)} tracks of {np.median(lengths):.0f} s (median)")
    print("| head | heard | largest: mean | 95 % | all: mean | embedding: mean | another class is first |")
    print("|---|---|---|---|---|---|---|")
    for (head, name), values in rows.items():
        largest, every, embedding, another = np.stack(values).T
        cells = [largest.mean(), np.quantile(largest, 0.95), every.mean(), embedding.mean()]
        print(f"| {head} | {name} | {' | '.join(f'{cell:.4f}' for cell in cells)} | {another.sum():.0f} |")


def drawn(folder: Path) -> Iterator[Path]:
    """Yield audio files in a random order that takes turns between folders; the same one whenever it is run."""
    files: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            files.setdefault(path.parent, []).append(path)
    order = random.Random(0)
    for group in files.values():
        order.shuffle(group)
    groups = list(files.values())
    order.shuffle(groups)
    while groups := [group for group in groups if group]:
        yield from [group.pop() for group in groups]


def mp3(path: Path, bitrate_kbps: int, sample_rate: int) -> np.ndarray:
    """Return the waveform of a file after encoding it as MP3, (samples,)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "encoded.mp3"
        options = ["-vn", "-c:a", "libmp3lame", "-b:a", f"{bitrate_kbps}k"]
        subprocess.run([ffmpeg_program(), "-v", "error", "-i", path, *options, out], check=True)
        return decode_track(out, sample_rate=sample_rate).waveform


@torch.inference_mode()
def answers(model: Model, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (chunks, classes) and the embeddings (chunks, size) of all chunks."""
    probabilities, embeddings = [], []
    batches = chunk_batches(
        model.network, model.frontend, [torch.from_numpy(waveform)], batch_size=8, device=torch.device("cpu")
    )
    for _, spectrogram in batches:
        embedding, logits = model.network(spectrogram)
        probabilities.append(model.heads[0].probabilities(logits[model.heads[0].name]))
        embeddings.append(embedding)
    return torch.cat(probabilities).numpy(), torch.cat(embeddings).numpy()


def mean(probabilities: np.ndarray, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.mean(axis=0), embeddings.mean(axis=0)


def change(whole: tuple[np.ndarray, np.ndarray], part: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the moves of the largest probability, of all and of the embedding, and if another class is first, (4,)."""
    (probabilities, embedding), (others, other) = whole, part
    moved = np.abs(others - probabilities)
    cosine = embedding @ other / np.linalg.norm(embedding) / np.linalg.norm(other)
    first = probabilities.argmax()
    return np.array([moved[first], moved.mean(), 1 - cosine, others.argmax() != first])


if __name__ == "__main__":
    main()
