"""What to know about the models of a library."""

from musicrec.export import catalogue
from musicrec.recommend import ways_out
from musicrec.recommend.library import Library


def model_remarks(library: Library) -> list[str]:
    """Return what to know about the models of a library: it has no tagger, or others have been fetched since."""
    used, known = [export.name for export in library.exports], catalogue.entries()
    since = [name for name in catalogue.default_models() if name not in used]
    if since and all(name in known for name in used):
        more = f"to use {' and '.join(since)} as well, {ways_out.INDEX_ELSEWHERE}"
        return [f"this library uses only {', '.join(used)}; {more}"]
    if not _has_tagger(library):
        return [
            "no model of this library predicts tags, so the first step (tags) is skipped; for tags, run `musicrec "
            f"models get musicnn`, delete {library.path} and index again"
        ]
    return []


def answer_remarks(library: Library) -> list[str]:
    """Return what every answer should say of the models: only without a tagger, as it then has no first step."""
    return [] if _has_tagger(library) else model_remarks(library)


def _has_tagger(library: Library) -> bool:
    return any(head.role == "tag" for head in library.heads.values())
