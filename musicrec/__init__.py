"""musicrec: train music taggers, test how robust they are, and find tracks that fit together.

Example:
    analyzer = musicrec.load("runs/…/export")
    analysis = analyzer.analyze("track.flac")
"""

from typing import TYPE_CHECKING

from musicrec.system.version import VERSION as __version__

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer, load
    from musicrec.export.public_weights import import_checkpoint
    from musicrec.recommend.recommender import Recommender

__all__ = ["Recommender", "TrackAnalyzer", "__version__", "import_checkpoint", "load"]


def __getattr__(name: str) -> object:
    """Import what takes long on first use, so that `import musicrec` is fast."""
    if name == "Recommender":
        from musicrec.recommend.recommender import Recommender

        return Recommender
    if name in ("TrackAnalyzer", "load"):
        from musicrec.export import analyzer

        return getattr(analyzer, name)
    if name == "import_checkpoint":
        from musicrec.export.public_weights import import_checkpoint

        return import_checkpoint
    raise AttributeError(f"module 'musicrec' has no attribute '{name}'")
