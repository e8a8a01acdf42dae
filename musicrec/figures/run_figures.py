"""All pictures of a model and its run: what `figures=true` draws."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError
from musicrec.evaluation.files import file_name
from musicrec.evaluation.report import HeadScore, Predictions
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model
from musicrec.figures.classes import class_figure
from musicrec.figures.embedding import embedding_figure
from musicrec.figures.learning_curves import learning_figure, read_metrics
from musicrec.figures.predictions_over_time import Hearing, hear
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.scores import plot_all
from musicrec.figures.style import save
from musicrec.figures.tracks import saliency_figure, track_figure


def choose_tracks(data: MusicDataModule, tracks: int | str | Sequence[str] | None) -> list[str]:
    """The names of the tracks to show: the given ones, or so many of the first test split, evenly spread over it.

    data: opened. Raises ConfigError for a name that the manifest has not, or that could not be decoded.
    """
    if isinstance(tracks, int):
        if tracks < 0:
            raise ConfigError(f"figure_tracks={tracks}: give how many tracks to show, or their names, as in [t1,t2]")
        names = data.tracks(data.test_splits[0])["track_id"].to_list()
        places = np.linspace(0, len(names), min(tracks, len(names)), endpoint=False)
        return [names[int(place)] for place in places]
    tracks = [tracks] if isinstance(tracks, str) else [str(name) for name in tracks or []]
    unknown = [name for name in tracks if name not in data.store.index]
    if unknown:
        raise ConfigError(
            f"figure_tracks: no readable track {', '.join(map(repr, unknown))} in {data.manifest_path}; give names of "
            "its column track_id, or a number of tracks"
        )
    return tracks


def hear_track(model: Model, data: MusicDataModule, track_id: str, *, device: torch.device | str) -> Hearing:
    """What a model says of a track of the data, window by window."""
    waveform, truth = data.track(track_id)
    return hear(model, waveform, track_id=track_id, truth=truth, device=device)


def draw_figures(
    folder: Path,
    model: Model,
    data: MusicDataModule,
    scores: Sequence[HeadScore],
    predictions: Mapping[str, Predictions],
    raw: Mapping[str, Mapping[str, torch.Tensor]],
    *,
    tracks: Sequence[str],
    device: torch.device | str,
    run: Path | None = None,
) -> list[Path]:
    """Draw into `folder`, say so, and return the paths of

    track_<name>.png, saliency_<name>.png   for each of the tracks
    <split>_<head>_<kind>.png               confusion matrices, curves, reliability, true against estimated tempo
    <split>_<head>_classes.png              how well each class is known
    <split>_embedding.png                   the tracks of each split as the network groups them
    learning.png                            where `run` holds a metrics.csv

    scores, predictions: of whole tracks, {split: {head: (probabilities, target)}}. raw: {split: {head: probabilities}}
    before any temperature. run: the folder of the training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = data.manifest_path.resolve().parent.name
    paths = plot_all(folder, scores, predictions, dataset=dataset)
    paths += plot_reliability(folder, scores, predictions, raw, dataset=dataset)

    def keep(name: str, picture: Figure | None) -> None:
        if picture is not None:
            paths.append(save(picture, folder / f"{file_name(name)}.png"))

    for track_id in tracks:
        hearing = hear_track(model, data, track_id, device=device)
        keep(f"track_{track_id}", track_figure(hearing))
        keep(f"saliency_{track_id}", saliency_figure(hearing))
    for score in scores:
        keep(f"{score.split}_{score.head.name}_classes", class_figure(score, dataset=dataset))
    for split in predictions:
        keep(f"{split}_embedding", _embedding(model, data, split, device=device))
    if run is not None:
        keep("learning", learning_figure(read_metrics(run), model.heads))
    print(f"figures: {folder} ({len(paths)} pictures)")
    return paths


def _embedding(model: Model, data: MusicDataModule, split: str, *, device: torch.device | str) -> Figure | None:
    analyzer, frame = TrackAnalyzer([model], device=device), data.tracks(split)
    embeddings = [analyzer.analyze(data.track(track_id)[0]).embedding for track_id in frame["track_id"]]
    column = next((name for name in ("genre", "artist") if name in frame.columns), None)
    labels = frame[column].to_list() if column else [None] * len(frame)
    title = f"embeddings of {data.manifest_path.resolve().parent.name}, {split}, {len(frame)} tracks"
    return embedding_figure(np.stack(embeddings), labels, coloured_by=column or "label", title=title)
