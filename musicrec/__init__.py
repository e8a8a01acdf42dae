"""musicrec: train, stress and export music taggers, and recommend tracks of one's own collection.

analyzer = musicrec.load("runs/…/export")
analysis = analyzer.analyze("track.flac")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer, load
    from musicrec.export.public_weights import import_checkpoint

__all__ = ["TrackAnalyzer", "import_checkpoint", "load"]


def __getattr__(name: str) -> object:
    """Import torch and the networks only when they are asked for, so that `import musicrec` is quick."""
    if name in ("TrackAnalyzer", "load"):
        from musicrec.export import analyzer

        return getattr(analyzer, name)
    if name == "import_checkpoint":
        from musicrec.export.public_weights import import_checkpoint

        return import_checkpoint
    raise AttributeError(f"module 'musicrec' has no attribute '{name}'")
