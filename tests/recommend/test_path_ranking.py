import numpy as np

from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.recommend.ask import ask, ids, of_embedding


def test_a_path_leads_from_one_track_to_another(corners: SqliteLibrary):
    """Between a corner and another, tracks in a row; each step is compared with the one before."""
    start, end = of_embedding(corners, "a0", "b0")
    for i in range(5):  # five tracks on the way
        share = (i + 1) / 6
        blob = ((1 - share) * start.embedding + share * end.embedding).astype("<f4").tobytes()
        corners._connection.execute("UPDATE recordings SET embedding = ? WHERE audio_hash = ?", (blob, f"c{i}"))
    corners._connection.execute("DELETE FROM summaries")
    found = ask(corners, start, towards=end, k=5, weights={"embedding": 1})
    between = [name for name in ids(found) if name[0] == "c"]
    assert len(between) >= 4 and between == sorted(between), "in the order of the way"
    assert np.mean([match.similarity for match in found.matches]) > 0.6 and found.steps[-1].tags == ()
    assert len(ask(corners, start, towards=end, k=50, weights={"embedding": 1}).matches) == 28
    capped = ask(corners, start, towards=end, k=9, weights={"embedding": 1}, filters=MusicalFilters(max_per_artist=1))
    assert len({match.track.artist for match in capped.matches}) == len(capped.matches)
