"""Draw docs/architecture.svg: how audio becomes a recommendation, and which room of the package does each step.

python docs/make_architecture.py                 write docs/architecture.svg
python docs/make_architecture.py picture.png     write another file, to look at
"""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

WIDTH, HEIGHT = 1000, 712  # of the drawing, in its own units
BOX_WIDTH, BOX_HEIGHT = 164, 92
LEFT, STEP = 40, 189  # left edge of the first column; from one column to the next
INK, FAINT, LINE = "#1f2933", "#52606d", "#7b8794"
DATA, DEVICE, USE, CHECK = "#e3effc", "#fdeccc", "#def3e1", "#eee6fa"


@dataclass(frozen=True)
class Box:
    """One step. room: the folder of musicrec/ that does it. column: 0 to 4. bottom: its lower edge."""

    title: str
    detail: str
    room: str
    column: int
    bottom: float
    colour: str

    @property
    def left(self) -> float:
        return LEFT + STEP * self.column

    @property
    def centre(self) -> float:
        return self.left + BOX_WIDTH / 2

    @property
    def top(self) -> float:
        return self.bottom + BOX_HEIGHT


PREPARE = [
    Box("Dataset", "audio files and labels,\nunchanged on your disk", "data.adapters", 0, 548, DATA),
    Box("Manifest", "a table with\none row per track", "data", 1, 548, DATA),
    Box("Decode", "any audio format to\nmono at 16 kHz", "audio", 2, 548, DATA),
    Box("Waveform store", "int16 samples in one\nmemory-mapped file", "data", 3, 548, DATA),
    Box("DataModule", "batches of chunks\nand their labels", "data", 4, 548, DATA),
]
TRAIN = [
    Box("Deform", "pitch, tempo, noise …;\nlabels move along", "deformations", 0, 374, DEVICE),
    Box("Front end", "waveform to\nspectrogram in dB", "models.frontends", 1, 374, DEVICE),
    Box("Network", "spectrogram to\nembedding and logits", "models", 2, 374, DEVICE),
    Box("Heads", "logits to answers,\nloss and metrics", "heads", 3, 374, DEVICE),
    Box("Checkpoint", "the best epoch\non validation", "training", 4, 374, DATA),
]
APPLY = [
    Box("Export", "a folder: safetensors,\nJSON, model card", "export", 0, 200, USE),
    Box("TrackAnalyzer", "hears a whole track,\nchunk by chunk", "export", 1, 200, USE),
    Box("Analysis", "tags, features and an\nembedding per track", "export", 2, 200, USE),
    Box("Library", "the analyses of your\ntracks in one file", "recommend", 3, 200, USE),
    Box("Recommendation", "filter by tags, rank\nby similarity", "recommend", 4, 200, USE),
]
EVALUATE = Box("Evaluate", "metrics, intervals;\nalso on deformed audio", "evaluation, robustness", 0, 46, CHECK)
MUSIC = Box("Your music", "a folder to index,\nany file to ask with", "audio", 1, 46, USE)
NOTES = """programs   starts each step: musicrec train, evaluate, robustness, recommend
config     checks settings before anything is built
runs       records each run
sweeps     runs many settings and ranks them
tracking   logs to CSV, TensorBoard and Weights & Biases
figures    draws the pictures of runs, tracks and comparisons"""


def draw_box(axes: Axes, box: Box) -> None:
    """Draw one step: title, two lines of explanation, and the room in fixed width."""
    shape = FancyBboxPatch(
        (box.left, box.bottom), BOX_WIDTH, BOX_HEIGHT, boxstyle="round,pad=0,rounding_size=8", lw=1, ec=LINE
    )
    shape.set_facecolor(box.colour)
    axes.add_patch(shape)
    axes.text(box.centre, box.top - 17, box.title, ha="center", va="center", color=INK, size=11, weight="bold")
    axes.text(box.centre, box.top - 47, box.detail, ha="center", va="center", color=INK, size=9.5, linespacing=1.25)
    axes.text(
        box.centre, box.bottom + 13, box.room, ha="center", va="center", color=FAINT, size=8.5, family="monospace"
    )


def draw_arrow(axes: Axes, *points: tuple[float, float]) -> None:
    """Draw a line through the points, with a head at the last."""
    (*start, before, end) = points
    xs, ys = zip(*start, before, strict=True)
    axes.plot(xs, ys, color=LINE, lw=1.5, solid_capstyle="round", solid_joinstyle="round")
    axes.annotate("", xy=end, xytext=before, arrowprops={"arrowstyle": "-|>", "color": LINE, "lw": 1.5, "shrinkA": 0})


def draw_row(axes: Axes, boxes: list[Box]) -> None:
    """Draw boxes side by side, with an arrow from each to the next."""
    for box in boxes:
        draw_box(axes, box)
    for box, following in itertools.pairwise(boxes):
        middle = box.bottom + BOX_HEIGHT / 2
        draw_arrow(axes, (box.left + BOX_WIDTH, middle), (following.left, middle))


def draw_heading(axes: Axes, row: list[Box], text: str) -> None:
    """Write what a row is for above it, beside the arrow that leads into the row."""
    axes.text(row[0].centre + 14, row[0].top + 36, text, va="center", color=INK, size=11)


def draw_return(axes: Axes, last: Box, first: Box) -> None:
    """Draw the arrow from the end of a row to the beginning of the row below."""
    between = last.bottom - 20
    draw_arrow(
        axes, (last.centre, last.bottom), (last.centre, between), (first.centre, between), (first.centre, first.top)
    )


def draw() -> plt.Figure:
    """Return the drawing, on a background of its own so that it can be read on a light and on a dark page."""
    figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    card = FancyBboxPatch((4, 4), WIDTH - 8, HEIGHT - 8, boxstyle="round,pad=0,rounding_size=14", fc="white", ec=LINE)
    device = FancyBboxPatch((LEFT - 14, 362), 4 * STEP - 3, 116, boxstyle="round,pad=0,rounding_size=10", fc="none")
    device.set(edgecolor="#d9942b", linestyle=(0, (4, 3)))
    for shape in (card, device):
        axes.add_patch(shape)
    for row, heading in (
        (PREPARE, "1  Prepare the data, once"),
        (TRAIN, "2  Train. The steps in the dashed frame run on the device, CPU or GPU"),
        (APPLY, "3  Use the model, without the training code"),
    ):
        draw_heading(axes, row, heading)
        draw_row(axes, row)
    draw_return(axes, PREPARE[-1], TRAIN[0])
    draw_return(axes, TRAIN[-1], APPLY[0])
    export, analyzer = APPLY[:2]
    draw_box(axes, EVALUATE)
    draw_arrow(axes, (export.centre, export.bottom), (export.centre, EVALUATE.top))
    draw_box(axes, MUSIC)
    draw_arrow(axes, (MUSIC.centre, MUSIC.top), (MUSIC.centre, analyzer.bottom))
    for number, line in enumerate(NOTES.splitlines()):
        room, text = line.split(maxsplit=1)
        height = MUSIC.top - 4 - 17 * number
        axes.text(LEFT + 2 * STEP + 6, height, room, va="center", color=FAINT, size=8.5, family="monospace")
        axes.text(LEFT + 2 * STEP + 76, height, text, va="center", color=INK, size=9.5)
    return figure


def main() -> None:
    matplotlib.rcParams["svg.hashsalt"] = "musicrec"  # the same file whenever nothing has changed
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("architecture.svg")
    draw().savefig(out, dpi=100, **({"metadata": {"Date": None}} if out.suffix == ".svg" else {}))
    print(out)


if __name__ == "__main__":
    main()
