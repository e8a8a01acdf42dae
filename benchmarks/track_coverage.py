"""How far the answers of models move if they hear a part of a track, and if the track is encoded as MP3.

    python benchmarks/track_coverage.py --exports musicnn_mtt,musicnn_msd --folder MUSIC --tracks 30

Files are drawn at random, as many from each folder as from the others. Every chunk of a track is answered once, in the
original and in each MP3; the answers of a part are means over some of its chunks, as the analysis chooses them. Printed
are the mean and the 95th percentile, over tracks, of the change of the largest probability, of the mean change over all
tags, and of the angle of the embedding (1 - cosine).
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
from musicrec.export import catalogue
from musicrec.export.chunk_batches import chunk_batches, heard_chunks
from musicrec.export.description import Model
from musicrec.export.folder import read_export

PARTS = {"every 2nd": 1 / 2, "every 3rd": 1 / 3}  # shares of all chunks
MOST = (60, 40, 20)  # chunks
BITRATES = (192, 128)  # kbit/s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", default="musicnn_mtt,musicnn_msd", help="models with one tag head each")
    parser.add_argument("--folder", type=Path, required=True, help="with music, searched to any depth")
    parser.add_argument("--tracks", type=int, default=30)
    parser.add_argument("--least-s", type=float, default=90, help="shorter files are left out (default %(default)s)")
    arguments = parser.parse_args()
    models = [read_export(catalogue.resolve(name)).for_inference() for name in arguments.exports.split(",")]
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    lengths = []
    for path in drawn(arguments.folder):
        waveform = decode_track(path, sample_rate=models[0].sample_rate).waveform
        if len(waveform) < arguments.least_s * models[0].sample_rate:
            continue
        encoded = {bitrate: mp3(path, bitrate, models[0].sample_rate) for bitrate in BITRATES}
        for model in models:
            head = model.heads[0].name
            chunks = answers(model, waveform)
            whole = mean(*chunks)
            count = len(chunks[0])
            heard = {name: heard_chunks(count, share) for name, share in PARTS.items()}
            heard |= {f"at most {most}": heard_chunks(count, min(1.0, most / count)) for most in MOST}
            for name, positions in heard.items():
                rows.setdefault((head, name), []).append(change(whole, mean(*(part[positions] for part in chunks))))
            for bitrate, other in encoded.items():
                rows.setdefault((head, f"MP3, {bitrate} kbit/s"), []).append(
                    change(whole, mean(*answers(model, other)))
                )
        lengths.append(len(waveform) / models[0].sample_rate)
        print(f"{len(lengths)}: {path.name}, {lengths[-1]:.0f} s", flush=True)
        if len(lengths) == arguments.tracks:
            break
    print(f"{len(lengths)} tracks of {np.median(lengths):.0f} s (median)")
    print("| head | heard | largest tag: mean | 95 % | all tags: mean | 95 % | embedding: mean | 95 % |")
    print("|---|---|---|---|---|---|---|---|")
    for (head, name), values in rows.items():
        cells = [
            f"{number:.4f}" for column in np.stack(values).T for number in (column.mean(), np.quantile(column, 0.95))
        ]
        print(f"| {head} | {name} | {' | '.join(cells)} |")


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
        command = [
            ffmpeg_program(),
            "-v",
            "error",
            "-i",
            path,
            "-vn",
            "-c:a",
            "libmp3lame",
            "-b:a",
            f"{bitrate_kbps}k",
            out,
        ]
        subprocess.run(command, check=True)
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
    """Return the change of the largest probability, the mean change of all, and 1 - cosine of the embeddings, (3,)."""
    (probabilities, embedding), (others, other) = whole, part
    moved = np.abs(others - probabilities)
    cosine = embedding @ other / np.linalg.norm(embedding) / np.linalg.norm(other)
    return np.array([moved[probabilities.argmax()], moved.mean(), 1 - cosine])


if __name__ == "__main__":
    main()
