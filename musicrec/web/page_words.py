"""Remarks in the words of the page: what is an option of a command there is a control here."""

from collections.abc import Sequence

from musicrec.recommend import ways_out

PAGE_WORDS = {
    ways_out.TAKE_IN_UNRELIABLE: "“Silent or very short tracks, too” below What counts takes them in",
    ways_out.KEEP_UNKNOWN_YEAR: "tracks of unknown year pass with “Unknown years, too” below What counts",
    ways_out.MORE_PER_ARTIST: "“One track per artist” below What counts changes that",
    ways_out.INDEX_AGAIN: "index its folders again, in the view Library",
    ways_out.INDEX_ELSEWHERE: "open the page with a library that does not exist yet, and index your folders again",
    ways_out.INDEX_FOR_PASSAGES: "indexing their folders again finds the other passages",
}


def on_the_page(remarks: Sequence[str]) -> list[str]:
    """Return remarks as the page says them."""
    said = []
    for remark in remarks:
        for option, control in PAGE_WORDS.items():
            remark = remark.replace(option, control)
        said.append(remark)
    return said
