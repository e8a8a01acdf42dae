"""What to know about the models of a library."""

from musicrec.export import catalogue
from musicrec.recommend.library import Library


def model_remarks(library: Library) -> list[str]:
    """Return what to know about the models of a library: it has no tagger, or others have been fetched since."""
    used, known = [export.name for export in library.exports], catalogue.entries()
    tagged = any(head.role == "tag" for head in library.heads.values())
    since = [name for name in catalogue.default_models() if name not in used]
    if since and all(name in known for name in used):
        return [
            f"this library uses only {', '.join(used)}; to use {' and '.join(since)} as well, index into another file "
            "(--library FILE)"
        ]
    if not tagged:
        return [
            "no model of this library predicts tags, so the first step (tags) is skipped; for tags, run `musicrec "
            f"models get musicnn`, delete {library.path} and index again"
        ]
    return []
