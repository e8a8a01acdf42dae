"""The styles of MMA that a corpus is arranged in, and their grooves."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from musicrec.errors import ConfigError

SPLITS = ("train", "valid", "test")
LIBRARY = Path("/usr/share/mma/lib")  # where the Debian package puts the styles

_DEFINITION = re.compile(r"^\s*DefGroove\s+(\S+)", re.MULTILINE | re.IGNORECASE)
_NOT_A_PIECE = re.compile(r"intro|end(ing)?\d*$|fill|metro", re.IGNORECASE)  # grooves for a few bars of a piece


@dataclass(frozen=True)
class Genre:
    """A genre and the styles it is arranged in.

    Attributes:
        name: The label.
        tempo: Lowest and highest tempo in BPM.
        styles: Names of the styles by split.
    """

    name: str
    tempo: tuple[int, int]
    styles: dict[str, list[str]]


def read_genres() -> list[Genre]:
    """Return the genres of `styles.yaml`, in its order."""
    table = yaml.safe_load(Path(__file__).with_name("styles.yaml").read_text(encoding="utf-8"))
    return [
        Genre(name, tempo=tuple(entry["tempo"]), styles={split: entry[split] for split in SPLITS})
        for name, entry in table.items()
    ]


def grooves_of(style: str, library: Path = LIBRARY) -> list[str]:
    """Return the grooves of a style that can accompany a piece, as MMA's command `Groove` takes them.

    Args:
        style: Name of the style, such as ``"swing"`` or ``"casio/swing"``.
        library: MMA's folder of styles.

    Raises:
        ConfigError: The style is not installed, or has no such groove.
    """
    path = library / (f"{style}.mma" if "/" in style else f"stdlib/{style}.mma")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); install MMA (Debian and Ubuntu: apt install mma)"
        ) from None
    names = [name for name in _DEFINITION.findall(text) if not _NOT_A_PIECE.search(name)]
    if not names:
        raise ConfigError(f"{path}: defines no groove; install MMA again (Debian and Ubuntu: apt install mma)")
    return [f"{style}:{name}" if "/" in style else name for name in names]
