"""The parts of remarks that name an option of the commands: other front ends have other words for the same way out."""

TAKE_IN_UNRELIABLE = "--include-unreliable takes them in (include_unreliable=true of `musicrec recommend`)"
KEEP_UNKNOWN_YEAR = "tracks of unknown year pass with --keep-unknown year"
MORE_PER_ARTIST = "--max-per-artist changes that"
INDEX_AGAIN = "index its sources again with `musicrec index`"
INDEX_FOR_PASSAGES = "`musicrec index` with their sources finds the other passages"
INDEX_ELSEWHERE = "index into another file (--library FILE)"
