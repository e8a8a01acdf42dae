"""All figures of a model and its run, which `figures=true` draws."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from musicrec.config.number_types import Natural
from musicrec.config.value_check import check_value
from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError
from musicrec.evaluation.head_scores import HeadScore, Predictions
from musicrec.evaluation.report_files import file_name
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model
from musicrec.figures.class_bars import class_figure
from musicrec.figures.embedding import embedding_figure
from musicrec.figures.learning_curves import learning_figure, read_metrics
from musicrec.figures.predictions_over_time import TrackPredictions, predict_windows
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.scores import plot_scores
from musicrec.figures.style import save
from musicrec.figures.tracks import saliency_figure, track_figure
from musicrec.heads.frames import by_track


def choose_tracks(data: MusicDataModule, tracks: int | str | Sequence[str] | None) -> list[str]:
    """Choose the tracks to draw.

    Args:
        data: The opened data.
        tracks: Names of tracks, or a number of tracks, which are spread evenly over the first test split.

    Returns:
        Names of tracks.

    Raises:
        ConfigError: The number is negative, or a track is not in the manifest or could not be decoded.
    """
    if isinstance(tracks, int):
        check_value("figure_tracks", tracks, Natural, expected="the number of tracks to draw, or their ids: [t1,t2]")
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


def predict_track(
    model: Model, data: MusicDataModule, track_id: str, *, device: torch.device | str
) -> TrackPredictions:
    """Predict the windows of a track of the data.

    Args:
        model: The model.
        data: The opened data.
        track_id: Name of the track.
        device: Where the network runs.
    """
    waveform, truth = data.track(track_id)
    return predict_windows(model, waveform, track_id=track_id, truth=truth, device=device)


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
    """Draw all figures of a model into a folder, and print where they are.

    The files are:

    - `track_<name>.png` and `saliency_<name>.png` for each of the tracks;
    - `<split>_<head>_<kind>.png`: confusion matrices, curves, reliability, estimated against true tempo;
    - `<split>_<head>_classes.png`: the metrics of each class;
    - `<split>_embedding.png`: the embeddings of the tracks;
    - `learning.png` if the run logged validation metrics.

    Args:
        folder: Where the files are written.
        model: The model.
        data: The opened data.
        scores: Scores of all splits and heads.
        predictions: {split: {head: (probabilities, target)}} of whole tracks.
        raw: {split: {head: probabilities}} without temperatures.
        tracks: Names of the tracks to draw.
        device: Where the network runs.
        run: Folder of the training; None if there is none.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = data.manifest_path.resolve().parent.name
    paths = plot_scores(folder, scores, predictions, dataset=dataset)
    paths += plot_reliability(folder, scores, predictions, raw, dataset=dataset)

    def write(name: str, figure: Figure | None) -> None:
        if figure is not None:
            paths.append(save(figure, folder / f"{file_name(name)}.png"))

    for track_id in tracks:
        predicted = predict_track(model, data, track_id, device=device)
        write(f"track_{track_id}", track_figure(predicted))
        if by_track(model.heads):
            write(f"saliency_{track_id}", saliency_figure(predicted))
    for score in scores:
        write(f"{score.split}_{score.head.name}_classes", class_figure(score, dataset=dataset))
    for split in predictions:
        write(f"{split}_embedding", _embedding(model, data, split, device=device))
    if run is not None:
        write("learning", learning_figure(read_metrics(run), model.heads))
    print(f"figures: {folder} ({len(paths)} files)")
    return paths


def _embedding(model: Model, data: MusicDataModule, split: str, *, device: torch.device | str) -> Figure | None:
    analyzer, frame = TrackAnalyzer([model], device=device), data.tracks(split)
    embeddings = [analyzer.analyze(data.track(track_id)[0]).embedding for track_id in frame["track_id"]]
    column = next((name for name in ("genre", "artist") if name in frame.columns), None)
    labels = frame[column].to_list() if column else [None] * len(frame)
    title = f"embeddings of {data.manifest_path.resolve().parent.name}, {split}, {len(frame)} tracks"
    return embedding_figure(np.stack(embeddings), labels, coloured_by=column or "label", title=title)
