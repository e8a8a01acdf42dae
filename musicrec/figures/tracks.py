"""Pictures of one track: what it sounds like, and what a model says of it in its course and why."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from musicrec.figures.predictions_over_time import Hearing
from musicrec.figures.saliency import saliency
from musicrec.figures.signals import HOP_LENGTH, spectral_rolloff, zero_crossing_rate
from musicrec.figures.style import AGAINST, COLOURS, FOR, GREY, SHARE, SPECTROGRAM, shortened, text
from musicrec.heads import Head
from musicrec.models.frontends import Frontend
from musicrec.models.frontends.mel import MelSpectrogram

_COLUMNS = 1000  # of a picture of a whole track
_RANGE_DB = 80
_ROWS = 4  # classes shown of a head
_TICKS_HZ = (250, 1000, 2000, 4000, 8000, 16000)
_NAME = 22  # letters of a class beside its row


def track_figure(hearing: Hearing) -> Figure:
    """Waveform, mel spectrogram, spectral roll-off, zero-crossing rate, and below them the answers of every head."""
    heads = hearing.model.heads
    shown = {head.name: rows_of(head, hearing) for head in heads}
    heights = [0.9, 2.0, 0.75, 0.75, *(0.9 if h.unit else 0.2 * len(shown[h.name]) for h in heads)]
    figure = Figure(figsize=(10, sum(heights) + 0.22 * len(heights) + 0.8), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    _waveform(axes[0], hearing)
    image = _spectrogram(axes[1], hearing)
    figure.colorbar(image, ax=axes[1], pad=0.01, aspect=18, label="dB")
    _line(axes[2], spectral_rolloff(hearing.waveform, sample_rate=hearing.model.sample_rate) / 1000, hearing,
          "roll-off\n85 % (kHz)", COLOURS[1])  # fmt: skip
    _line(axes[3], 100 * zero_crossing_rate(hearing.waveform), hearing, "zero\ncrossings (%)", COLOURS[2])
    strips = []
    for head, strip in zip(heads, axes[4:], strict=True):
        if head.unit:
            _numbers(strip, head, hearing)
        else:
            image = _answers(strip, head, hearing, shown[head.name])
            strips.append(strip)
    if strips:
        figure.colorbar(image, ax=strips, pad=0.01, aspect=max(8, 6 * len(strips)), label="probability")
    axes[-1].set(xlim=(0, hearing.duration_s), xlabel="time (s)")
    figure.align_ylabels(axes)
    window_s = hearing.window_samples / hearing.model.sample_rate
    figure.suptitle(
        f"{text(shortened(hearing.track_id, 60))} · {type(hearing.model.network).__name__}, windows of {window_s:.1f} s"
        + (" · ✓ is true" if any(not value.isnan().all() for value in hearing.truth.values()) else ""),
        fontsize=11, x=0.01, ha="left",
    )  # fmt: skip
    return figure


def rows_of(head: Head, hearing: Hearing) -> list[int]:
    """The outputs of a head that are worth a row: those most probable over the track, and of the true ones the most
    probable."""
    mean = hearing.probabilities[head.name].mean(dim=0)
    order = mean.argsort(descending=True).tolist()
    rows = order[:_ROWS]
    true = [index for index in order if is_true(head, hearing, index)]
    if true and true[0] not in rows:
        rows[-1] = true[0]
    return rows


def is_true(head: Head, hearing: Hearing, output: int) -> bool:
    """Whether an output stands for the true label; False also where that is unknown."""
    return bool(head.one_hot(hearing.truth[head.name][None])[0, output] == 1)


def saliency_figure(hearing: Hearing) -> Figure:
    """For the likeliest answer of every head: where in the spectrogram, of the window that answers it most surely, lies
    what speaks for it and against it (integrated gradients against silence)."""
    model, heads = hearing.model, hearing.model.heads
    figure = Figure(figsize=(10, 1.75 * len(heads) + 1.0), layout="constrained")
    panels = figure.subplots(len(heads), 1, squeeze=False)[:, 0]
    device = next(model.network.parameters()).device
    for head, axes in zip(heads, panels, strict=True):
        probabilities = hearing.probabilities[head.name]
        output = int(probabilities.mean(dim=0).argmax())
        window = int(probabilities[:, output].argmax())
        decibels, parts = saliency(model, hearing.window(window).to(device), head=head.name, output=output)
        start_s = hearing.starts[window] / model.sample_rate
        end_s = start_s + hearing.window_samples / model.sample_rate
        axes.imshow(overlay(decibels, parts), origin="lower", aspect="auto",
                    extent=(start_s, end_s, -0.5, len(decibels) - 0.5), interpolation="nearest")  # fmt: skip
        _frequency_axis(axes, model.frontend)
        true = " ✓" if is_true(head, hearing, output) else ""
        axes.set_title(f"{text(head.name)}: {text(head.classes[output])}{true}  "
                       f"(probability {probabilities[window, output]:.2f})", fontsize=10, loc="left")  # fmt: skip
    panels[-1].set_xlabel("time (s)")
    for colour, label in ((FOR, "speaks for the answer"), (AGAINST, "speaks against it")):
        panels[0].plot([], [], "s", color=colour, label=label)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle(f"{text(shortened(hearing.track_id, 60))} · what the answers rest on "
                    "(integrated gradients, Sundararajan et al. 2017)", fontsize=11, x=0.01, ha="left")  # fmt: skip
    return figure


def overlay(decibels: torch.Tensor, parts: torch.Tensor) -> np.ndarray:
    """(n_mels, frames, 3): the spectrogram in light grey, under it two colours as strong as what each cell adds.

    Single cells are noise: each shows the sum over its neighbours, about a thirtieth of the picture both ways. One in
    200 has the full colour.
    """
    height, width = (2 * max(1, size // 60) + 1 for size in parts.shape)
    smooth = torch.nn.functional.avg_pool2d(parts[None], (height, width), stride=1, padding=(height // 2, width // 2))[
        0
    ]
    strength = (smooth.abs() / smooth.abs().quantile(0.995).clamp(min=1e-12)).clamp(max=1.0)[..., None]
    loudness = ((decibels - decibels.max() + _RANGE_DB) / _RANGE_DB).clamp(0, 1)[..., None]
    grey = (1 - 0.55 * loudness).expand(-1, -1, 3)
    colour = torch.where(smooth[..., None] > 0, torch.tensor(to_rgb(FOR)), torch.tensor(to_rgb(AGAINST)))
    return ((1 - strength) * grey + strength * colour).numpy()


def _waveform(axes: Axes, hearing: Hearing) -> None:
    step = max(1, len(hearing.waveform) // _COLUMNS)
    columns = hearing.waveform[: len(hearing.waveform) // step * step].reshape(-1, step)
    time = np.arange(len(columns)) * step / hearing.model.sample_rate
    axes.fill_between(time, columns.min(axis=1), columns.max(axis=1), color=COLOURS[0], linewidth=0.3)
    axes.set(ylim=(-1.02, 1.02), yticks=(-1, 0, 1), ylabel="waveform")


def _spectrogram(axes: Axes, hearing: Hearing) -> object:
    frontend = hearing.model.frontend
    device = next(hearing.model.network.parameters()).device
    decibels = frontend(torch.from_numpy(hearing.waveform).to(device)[None])[0].cpu()  # (1, n_mels, frames)
    columns = min(_COLUMNS, decibels.shape[-1])
    decibels = torch.nn.functional.adaptive_avg_pool1d(decibels[0], columns).numpy()
    image = axes.imshow(decibels, origin="lower", aspect="auto", cmap=SPECTROGRAM, interpolation="nearest",
                        extent=(0, hearing.duration_s, -0.5, len(decibels) - 0.5),
                        vmin=float(decibels.max()) - _RANGE_DB, vmax=float(decibels.max()))  # fmt: skip
    _frequency_axis(axes, frontend)
    return image


def _frequency_axis(axes: Axes, frontend: Frontend) -> None:
    bands = {hertz: frontend.band_of(hertz) for hertz in _TICKS_HZ}
    shown = {hertz: band for hertz, band in bands.items() if -0.5 <= band <= frontend.n_mels - 0.5}
    names = [f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in shown]
    axes.set_yticks(list(shown.values()), names, fontsize=8)
    axes.set_ylim(-0.5, frontend.n_mels - 0.5)
    axes.set_ylabel("mel (Hz)" if isinstance(frontend, MelSpectrogram) else "Hz")


def _line(axes: Axes, values: np.ndarray, hearing: Hearing, label: str, colour: str) -> None:
    time = np.arange(len(values)) * HOP_LENGTH / hearing.model.sample_rate
    axes.plot(time, values, color=colour, linewidth=0.7)
    axes.set_ylim(0, max(float(values.max()) * 1.05, 1e-9))
    axes.set_ylabel(label, fontsize=9)
    axes.grid(axis="x", color="#eee")


def _answers(axes: Axes, head: Head, hearing: Hearing, rows: list[int]) -> object:
    values = hearing.probabilities[head.name][:, rows].T.numpy()
    image = axes.pcolormesh(hearing.edges_s, np.arange(len(rows) + 1), values, cmap=SHARE, vmin=0, vmax=1)
    names = [
        f"{'✓ ' if is_true(head, hearing, row) else ''}{text(shortened(head.classes[row], _NAME))}" for row in rows
    ]
    axes.set_yticks(np.arange(len(rows)) + 0.5, names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_title(text(head.name), fontsize=9, loc="left", pad=2)
    return image


def _numbers(axes: Axes, head: Head, hearing: Hearing) -> None:
    """Draw an answer that is a number, such as a tempo, as a line over time."""
    answers = head.answer(hearing.probabilities[head.name]).numpy()
    axes.stairs(answers, hearing.edges_s, color=COLOURS[3], linewidth=1.6, baseline=None)
    shown = answers.tolist()
    truth = float(hearing.truth[head.name])
    if not np.isnan(truth):
        axes.axhline(truth, color=GREY, linewidth=1, linestyle="--")
        axes.annotate(f"✓ {truth:g}", (1.0, truth), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8, color=GREY)  # fmt: skip
        shown.append(truth)
    lowest, highest = min(shown), max(shown)
    axes.set_ylim(lowest - 0.15 * abs(lowest), highest + 0.15 * abs(highest) or 1)
    axes.set_ylabel(head.unit)
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    axes.set_title(text(head.name), fontsize=9, loc="left", pad=2)
