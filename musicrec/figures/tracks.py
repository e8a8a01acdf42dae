"""Figures of one track: its signal, the predictions of a model over time, and the saliency of its answers."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from musicrec.figures.predictions_over_time import TrackPredictions
from musicrec.figures.saliency import saliency
from musicrec.figures.signals import HOP_LENGTH, spectral_rolloff, zero_crossing_rate
from musicrec.figures.style import COLOURS, GREY, OPPOSING, SHARE, SPECTROGRAM, SUPPORTING, shortened, text
from musicrec.heads import Head
from musicrec.heads.frames import by_track
from musicrec.models.frontends import Frontend
from musicrec.models.frontends.mel import MelSpectrogram

_MAX_COLUMNS = 1000  # of the waveform and the spectrogram
_RANGE_DB = 80
_MAX_ROWS = 4  # classes drawn per head
_TICKS_HZ = (250, 1000, 2000, 4000, 8000, 16000)
_NAME_LENGTH = 22  # characters of the name of a class


def track_figure(track: TrackPredictions) -> Figure:
    """Draw the waveform, spectrogram, roll-off and zero-crossing rate, and below them the answers of every head."""
    heads = by_track(track.model.heads)
    rows = {head.name: choose_rows(head, track) for head in heads}
    heights = [0.9, 2.0, 0.75, 0.75, *(0.9 if h.unit else 0.2 * len(rows[h.name]) for h in heads)]
    figure = Figure(figsize=(10, sum(heights) + 0.22 * len(heights) + 0.8), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    _draw_waveform(axes[0], track)
    image = _draw_spectrogram(axes[1], track)
    figure.colorbar(image, ax=axes[1], pad=0.01, aspect=18, label="dB")
    rolloff_hz = spectral_rolloff(track.waveform, sample_rate=track.model.sample_rate)
    _draw_line(axes[2], rolloff_hz / 1000, track, "roll-off\n85 % (kHz)", COLOURS[1])
    _draw_line(axes[3], 100 * zero_crossing_rate(track.waveform), track, "zero\ncrossings (%)", COLOURS[2])
    class_panels = []
    for head, panel in zip(heads, axes[4:], strict=True):
        if head.unit:
            _draw_numbers(panel, head, track)
        else:
            image = _draw_answers(panel, head, track, rows[head.name])
            class_panels.append(panel)
    if class_panels:
        figure.colorbar(image, ax=class_panels, pad=0.01, aspect=max(8, 6 * len(class_panels)), label="probability")
    axes[-1].set(xlim=(0, track.duration_s), xlabel="time (s)")
    figure.align_ylabels(axes)
    window_s = track.window_samples / track.model.sample_rate
    title = f"{text(shortened(track.track_id, 60))} · {type(track.model.network).__name__}, windows of {window_s:.1f} s"
    if any(not value.isnan().all() for value in track.truth.values()):
        title += " · ✓ true label"
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure


def choose_rows(head: Head, track: TrackPredictions) -> list[int]:
    """Choose the outputs of a head to draw.

    Args:
        head: The head.
        track: The predictions.

    Returns:
        Indices of the four outputs that are most probable over the track. The most probable true output replaces the
        last of them if none of the four is true.
    """
    mean = track.probabilities[head.name].mean(dim=0)
    order = mean.argsort(descending=True).tolist()
    rows = order[:_MAX_ROWS]
    true = [index for index in order if is_true(head, track, index)]
    if true and true[0] not in rows:
        rows[-1] = true[0]
    return rows


def is_true(head: Head, track: TrackPredictions, output: int) -> bool:
    """Return whether an output is the true label of the track; False if the label is unknown."""
    return bool(head.one_hot(track.truth[head.name][None])[0, output] == 1)


def saliency_figure(track: TrackPredictions) -> Figure:
    """Draw the saliency of the most likely answer of every head, in the window where it is most certain.

    Frame-wise heads are left out; the model has another one.
    """
    model, heads = track.model, by_track(track.model.heads)
    figure = Figure(figsize=(10, 1.75 * len(heads) + 1.0), layout="constrained")
    panels = figure.subplots(len(heads), 1, squeeze=False)[:, 0]
    device = next(model.network.parameters()).device
    for head, axes in zip(heads, panels, strict=True):
        probabilities = track.probabilities[head.name]
        output = int(probabilities.mean(dim=0).argmax())
        window = int(probabilities[:, output].argmax())
        decibels, parts = saliency(model, track.window(window).to(device), head=head.name, output=output)
        start_s = track.starts[window] / model.sample_rate
        end_s = start_s + track.window_samples / model.sample_rate
        axes.imshow(
            overlay(decibels, parts),
            origin="lower",
            aspect="auto",
            extent=(start_s, end_s, -0.5, len(decibels) - 0.5),
            interpolation="nearest",
        )
        _label_frequencies(axes, model.frontend)
        true = " ✓" if is_true(head, track, output) else ""
        axes.set_title(
            f"{text(head.name)}: {text(head.classes[output])}{true}  (probability {probabilities[window, output]:.2f})",
            fontsize=10,
            loc="left",
        )
    panels[-1].set_xlabel("time (s)")
    for colour, label in ((SUPPORTING, "supports the answer"), (OPPOSING, "counts against it")):
        panels[0].plot([], [], "s", color=colour, label=label)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(
        f"{text(shortened(track.track_id, 60))} · saliency of the most likely answers "
        "(integrated gradients, Sundararajan et al. 2017)",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    return figure


def overlay(decibels: torch.Tensor, parts: torch.Tensor) -> np.ndarray:
    """Colour a spectrogram by the contributions of its cells.

    Single cells are noisy, so each shows the mean over its neighbours, about a thirtieth of the height and width.

    Args:
        decibels: (n_mels, frames), drawn in grey.
        parts: (n_mels, frames) contributions; positive and negative ones have different colours. One cell in 200 has
            the full colour.

    Returns:
        (n_mels, frames, 3) RGB in [0, 1].
    """
    height, width = (2 * max(1, size // 60) + 1 for size in parts.shape)
    padding = (height // 2, width // 2)
    smooth = torch.nn.functional.avg_pool2d(parts[None], (height, width), stride=1, padding=padding)[0]
    strength = (smooth.abs() / smooth.abs().quantile(0.995).clamp(min=1e-12)).clamp(max=1.0)[..., None]
    loudness = ((decibels - decibels.max() + _RANGE_DB) / _RANGE_DB).clamp(0, 1)[..., None]
    grey = (1 - 0.55 * loudness).expand(-1, -1, 3)
    colour = torch.where(smooth[..., None] > 0, torch.tensor(to_rgb(SUPPORTING)), torch.tensor(to_rgb(OPPOSING)))
    return ((1 - strength) * grey + strength * colour).numpy()


def _draw_waveform(axes: Axes, track: TrackPredictions) -> None:
    step = max(1, len(track.waveform) // _MAX_COLUMNS)
    columns = track.waveform[: len(track.waveform) // step * step].reshape(-1, step)
    time = np.arange(len(columns)) * step / track.model.sample_rate
    axes.fill_between(time, columns.min(axis=1), columns.max(axis=1), color=COLOURS[0], linewidth=0.3)
    axes.set(ylim=(-1.02, 1.02), yticks=(-1, 0, 1), ylabel="waveform")


def _draw_spectrogram(axes: Axes, track: TrackPredictions) -> object:
    frontend = track.model.frontend
    device = next(track.model.network.parameters()).device
    decibels = frontend(torch.from_numpy(track.waveform).to(device)[None])[0].cpu()  # (1, n_mels, frames)
    columns = min(_MAX_COLUMNS, decibels.shape[-1])
    decibels = torch.nn.functional.adaptive_avg_pool1d(decibels[0], columns).numpy()
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap=SPECTROGRAM,
        interpolation="nearest",
        extent=(0, track.duration_s, -0.5, len(decibels) - 0.5),
        vmin=float(decibels.max()) - _RANGE_DB,
        vmax=float(decibels.max()),
    )
    _label_frequencies(axes, frontend)
    return image


def _label_frequencies(axes: Axes, frontend: Frontend) -> None:
    bands = {hertz: frontend.band_of(hertz) for hertz in _TICKS_HZ}
    visible = {hertz: band for hertz, band in bands.items() if -0.5 <= band <= frontend.n_mels - 0.5}
    names = [f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in visible]
    axes.set_yticks(list(visible.values()), names, fontsize=8)
    axes.set_ylim(-0.5, frontend.n_mels - 0.5)
    axes.set_ylabel("mel (Hz)" if isinstance(frontend, MelSpectrogram) else "Hz")


def _draw_line(axes: Axes, values: np.ndarray, track: TrackPredictions, label: str, colour: str) -> None:
    time = np.arange(len(values)) * HOP_LENGTH / track.model.sample_rate
    axes.plot(time, values, color=colour, linewidth=0.7)
    axes.set_ylim(0, max(float(values.max()) * 1.05, 1e-9))
    axes.set_ylabel(label, fontsize=9)
    axes.grid(axis="x", color="#eee")


def _draw_answers(axes: Axes, head: Head, track: TrackPredictions, rows: list[int]) -> object:
    values = track.probabilities[head.name][:, rows].T.numpy()
    image = axes.pcolormesh(track.edges_s, np.arange(len(rows) + 1), values, cmap=SHARE, vmin=0, vmax=1)
    names = [
        f"{'✓ ' if is_true(head, track, row) else ''}{text(shortened(head.classes[row], _NAME_LENGTH))}" for row in rows
    ]
    axes.set_yticks(np.arange(len(rows)) + 0.5, names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_title(text(head.name), fontsize=9, loc="left", pad=2)
    return image


def _draw_numbers(axes: Axes, head: Head, track: TrackPredictions) -> None:
    """Draw the answers of a head that estimates a number, such as the tempo, as a line over time."""
    answers = head.answer(track.probabilities[head.name]).numpy()
    axes.stairs(answers, track.edges_s, color=COLOURS[3], linewidth=1.6, baseline=None)
    drawn = answers.tolist()
    truth = float(track.truth[head.name])
    if not np.isnan(truth):
        axes.axhline(truth, color=GREY, linewidth=1, linestyle="--")
        axes.annotate(
            f"✓ {truth:g}",
            (1.0, truth),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
        )
        drawn.append(truth)
    lowest, highest = min(drawn), max(drawn)
    axes.set_ylim(lowest - 0.15 * abs(lowest), highest + 0.15 * abs(highest) or 1)
    axes.set_ylabel(head.unit)
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    axes.set_title(text(head.name), fontsize=9, loc="left", pad=2)
