"""Style of the figures: colours that suit colour-blind readers, and files small enough to send by mail."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import rc_context
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
    """Write a figure as PNG or, if the name of the file ends in .svg, as SVG, completely or not at all.

    In a PNG, a palette of 256 colours reduces the file to a third of its size, without a visible difference. An SVG
    keeps its text as text, and has no date: the same figure gives the same file.

    Args:
        figure: The figure.
        path: The file.

    Returns:
        The file.
    """
    with atomic_write(path, "wb") as file:
        if path.suffix.lower() == ".svg":
            with rc_context({"svg.fonttype": "none", "svg.hashsalt": "musicrec"}), any_script():
                figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        else:
            image(figure).save(file, format="png", optimize=True)
    return path


def image(figure: Figure) -> Image.Image:
    """Render a figure as an image with 256 colours."""
    rendered = io.BytesIO()
    with any_script():
        figure.savefig(rendered, format="png", dpi=_DPI, bbox_inches="tight")
    return Image.open(rendered).convert("RGB").quantize(256, dither=Image.Dither.NONE)


@contextmanager
def any_script() -> Iterator[None]:
    """Draw signs that a font lacks as boxes, without a warning for each: titles of tracks are in every script."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
