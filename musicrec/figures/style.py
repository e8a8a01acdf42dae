"""How pictures look: colours that also the colour-blind can tell apart, files that can be mailed."""

import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from musicrec.system.atomic_write import atomic_write

# Okabe and Ito (2008), without the yellow, which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FOR, AGAINST = "#D55E00", "#0072B2"
GREY = "#777777"
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
SPECTROGRAM = "magma"
SHARE = "Blues"

_DPI = 110


def text(name: str) -> str:
    """A name as it is written: matplotlib takes what stands between two dollar signs as a formula."""
    return name.replace("$", r"\$")


def shortened(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG, all of it or nothing, with a palette of 256 colours: a third of the size, and nobody sees it."""
    with atomic_write(path, "wb") as file:
        image(figure).save(file, format="png", optimize=True)
    return path


def image(figure: Figure) -> Image.Image:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI, bbox_inches="tight")
    return Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
