"""Style of the figures: colours that suit colour-blind readers, and files small enough to send by mail."""

import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from musicrec.system.atomic_write import atomic_write

# Okabe and Ito (2008), without the yellow, which is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SUPPORTING, OPPOSING = "#D55E00", "#0072B2"
GREY = "#777777"
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
SPECTROGRAM = "magma"
SHARE = "Blues"

_DPI = 110


def text(name: str) -> str:
    """Escape the dollar signs of a name: matplotlib reads text between two of them as a formula."""
    return name.replace("$", r"\$")


def shortened(name: str, length: int) -> str:
    """Return a name of at most `length` characters; "…" replaces what is cut off."""
    return name if len(name) <= length else name[: length - 1] + "…"


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, completely or not at all.

    A palette of 256 colours reduces the file to a third of its size, without a visible difference.

    Args:
        figure: The figure.
        path: The file.

    Returns:
        The file.
    """
    with atomic_write(path, "wb") as file:
        image(figure).save(file, format="png", optimize=True)
    return path


def image(figure: Figure) -> Image.Image:
    """Render a figure as an image with 256 colours."""
    rendered = io.BytesIO()
    figure.savefig(rendered, format="png", dpi=_DPI, bbox_inches="tight")
    return Image.open(rendered).convert("RGB").quantize(256, dither=Image.Dither.NONE)
