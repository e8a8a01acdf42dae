"""What a user said, applied to the shortlist of a query: a few hundred tracks that are already the most similar ones.

The recordings that the user likes are usually not among them. So the taste is learnt from their vectors, which come
beside the shortlist, and from a sample that stands for the library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from musicrec.recommend.columns import Columns
from musicrec.recommend.profiles.evidence import Evidence, evidence
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.taste import Taste, learn_taste
from musicrec.recommend.profiles.taste_ranking import rerank
from musicrec.recommend.profiles.taste_settings import TasteSettings

_SAID = 0.01  # a smaller change is not worth a reason
MOST_SAMPLE = 1024  # tracks; the spread of the usual closeness is then known within about 2 %


@dataclass(frozen=True, kw_only=True)
class KnownTracks:
    """The sound of the recordings that a user said something about, and of the library.

    Attributes:
        audio_hashes: Recordings, in any order; `Feedback.heard` names those that are wanted.
        vectors: (recordings, size), of unit length, as `Columns.vectors`; zeros where unknown.
        sample: (tracks, size), vectors that stand for the library, evenly spaced. More than 1,024 are not needed.
    """

    audio_hashes: Sequence[str]
    vectors: np.ndarray
    sample: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A track whose place in the answer feedback has changed, or confirmed.

    Attributes:
        row: Its row in the shortlist.
        audio_hash: The recording.
        before: Its rank without feedback, from 1.
        after: Its rank with feedback; None if it never comes again.
        change: What was added to its score; None if it never comes again.
        reason: Why, in plain words; "" if only others moved.
    """

    row: int
    audio_hash: str
    before: int
    after: int | None
    change: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class ShortlistRanking:
    """A shortlist with feedback.

    Attributes:
        scores: (tracks,) float64; -inf for what never comes again.
        order: (left,) the rows that may be recommended, best first.
        moves: The tracks that are among the first k before or after, and have moved, in the order after; also those
            that stay in their place and work after the query, as the user said.
        amount: How much is known about the user, in likes.
        strength: How much their taste could add to a score.
        others: Whether what other listeners like had a say.
    """

    scores: np.ndarray
    order: np.ndarray
    moves: tuple[Moved, ...]
    amount: float
    strength: float
    others: bool


def rerank_shortlist(
    columns: Columns,
    audio_hashes: Sequence[str],
    scores: np.ndarray,
    *,
    events: Sequence[Event],
    known: KnownTracks,
    query_hash: str | None = None,
    query_vector: np.ndarray | None = None,
    others: np.ndarray | None = None,
    others_share: float = 0.0,
    k: int = 10,
    settings: TasteSettings | None = None,
    now: datetime | None = None,
) -> ShortlistRanking:
    """Re-rank a shortlist by what a user said.

    Args:
        columns: The facts of the shortlist; only their vectors are used.
        audio_hashes: The recordings of the shortlist, in the order of the rows.
        scores: (tracks,) the score of each without feedback, about -1 to 1, more is better.
        events: What the user did and said, in any order.
        known: The sound of the recordings in `events`, and of the library.
        query_hash: The recording that was asked about: remembered pairs and skips are about what came after it.
        query_vector: (size,) how the query sounds; None if it is unknown, or the query is in the shortlist or `known`.
        others: (tracks,) from -1 to 1, what listeners with a similar taste like; None if they are not asked.
        others_share: How much of the taste these make up.
        k: Length of the answer, for `moves`.
        settings: How much feedback counts.
        now: The time from which the age of events is counted; None for the present.

    Returns:
        The new scores, and what moved and why.
    """
    settings = settings or TasteSettings()
    tracks = len(columns)
    hashes = list(audio_hashes)
    rows = {audio_hash: row for row, audio_hash in reversed(list(enumerate(hashes)))}
    beside = [place for place, audio_hash in enumerate(known.audio_hashes) if audio_hash not in rows]
    parts = [columns.vectors, np.asarray(known.vectors, dtype=np.float32)[beside]]
    for place in beside:
        rows[known.audio_hashes[place]] = len(hashes)
        hashes.append(known.audio_hashes[place])
    if query_hash is not None and query_hash not in rows and query_vector is not None:
        rows[query_hash] = len(hashes)
        hashes.append(query_hash)
        parts.append(np.asarray(query_vector, dtype=np.float32)[None])
    vectors = np.concatenate(parts)
    said = evidence(events, rows, now=now or datetime.now(timezone.utc), settings=settings)
    sample = np.asarray(known.sample[:: max(1, -(-len(known.sample) // MOST_SAMPLE))], dtype=np.float32)
    taste = learn_taste(vectors, said, settings, sample=sample)
    padding = len(hashes) - tracks
    asked = rows.get(query_hash or "")
    done = rerank(
        np.concatenate([np.asarray(scores, dtype=np.float64), np.zeros(padding)]),
        vectors,
        said,
        query=query_vector if asked is None else asked,
        eligible=np.arange(len(hashes)) < tracks,
        taste=taste,
        others=None if others is None else np.concatenate([others, np.zeros(padding)]),
        others_share=others_share,
        settings=settings,
    )
    why = _Reasons(events, hashes, vectors, said, taste, asked=asked, others=others)
    moves = tuple(
        Moved(
            row=move.row,
            audio_hash=hashes[move.row],
            before=move.before,
            after=move.after,
            change=move.change,
            reason=why.of(move.row, taste=float(done.taste[move.row]), metric=float(done.metric[move.row])),
        )
        for move in done.moves(k)
        if move.after != move.before or why.is_pair(move.row)
    )
    left = np.flatnonzero(done.after[:tracks])
    return ShortlistRanking(
        scores=done.scores[:tracks],
        order=left[np.argsort(done.after[left])],
        moves=moves,
        amount=done.amount,
        strength=done.strength,
        others=others is not None,
    )


def never_again(events: Sequence[Event]) -> frozenset[str]:
    """Return the recordings that a user never wants to hear again: the last opinion on them is a dislike."""
    rows = {audio_hash: row for row, audio_hash in enumerate(dict.fromkeys(event.audio_hash for event in events))}
    hashes = list(rows)
    return frozenset(hashes[row] for row in evidence(events, rows, now=datetime.now(timezone.utc)).banned)


class _Reasons:
    """Says why a track moved."""

    def __init__(
        self,
        events: Sequence[Event],
        hashes: Sequence[str],
        vectors: np.ndarray,
        said: Evidence,
        taste: Taste,
        *,
        asked: int | None,
        others: np.ndarray | None,
    ) -> None:
        self._titles: dict[str, str] = {}
        judged: set[str] = set()
        for event in events:
            for audio_hash, title in ((event.audio_hash, event.title), (event.after_hash or "", event.after_title)):
                if title:
                    self._titles.setdefault(audio_hash, title)
            if event.kind in ("liked", "disliked", "rated") and event.undone_at is None:
                judged.add(event.audio_hash)
        self._hashes, self._vectors, self._taste, self._asked, self._others = hashes, vectors, taste, asked, others
        self._weights = dict(zip(said.rows.tolist(), said.weights.tolist(), strict=True))
        self._judged = {row for row in self._weights if hashes[row] in judged}
        self._banned = set(said.banned.tolist())
        self._pairs, self._skips = len(said.pairs), len(said.skips)
        self._follows = {after for before, after in said.pairs.tolist() if before == asked}
        self._skipped = {after for before, after in said.skips.tolist() if before == asked}

    def is_pair(self, row: int) -> bool:
        """Return whether the user said that a track works after the one that was asked about: said in any case."""
        return row in self._follows

    def of(self, row: int, *, taste: float, metric: float) -> str:
        """Return why a track moved, in plain words; "" if nothing was said that moved it."""
        if row in self._banned:
            return "never again, as you said"
        parts, up = [], taste + metric > 0  # what pulls the other way did not move it
        if row in self._follows:
            parts.append(f"works after {self._named(self._asked)}, as you said")
        elif row in self._skipped:
            parts.append(f"you skipped it after {self._named(self._asked)}")
        elif abs(metric) >= _SAID and (metric > 0) == up:
            parts.append(self._of_metric(up=up))
        if abs(taste) >= _SAID and (taste > 0) == up:
            parts.append(self._of_taste(row, up=up))
        return "; ".join(part for part in parts if part)

    def _of_metric(self, *, up: bool) -> str:
        """Return what the metric was learnt from: remembered pairs, skips, or both."""
        if not self._skips:
            return f"{'fits' if up else 'does not fit'} the pairs that you remembered"
        if not self._pairs:
            return f"{'unlike' if up else 'like'} what you skipped"
        return f"{'fits' if up else 'does not fit'} your pairs and skips"

    def _of_taste(self, row: int, *, up: bool) -> str:
        own = self._weights.get(row, 0.0)
        if own and (own > 0) == up:
            return "" if row in self._skipped and row not in self._judged else f"you {self._verb(row, up=up)} it"
        nearest = self._nearest(row, liked=up)
        if nearest is not None:
            return f"sounds like {self._named(nearest)}, which you {self._verb(nearest, up=up)}"
        if self._others is not None:
            return f"listeners with your taste {'like' if up else 'do not like'} it"
        return "nearer to what you like" if up else "unlike what you like"

    def _verb(self, row: int, *, up: bool) -> str:
        """Return what a user did with a recording: who played or skipped it has not said that they like it, or not."""
        if row in self._judged:
            return "like" if up else "do not like"
        return "play" if up else "skipped"

    def _nearest(self, row: int, *, liked: bool) -> int | None:
        """Return the recording of that opinion which sounds most like a track; None if none does."""
        rows = [other for other, weight in self._weights.items() if (weight > 0) == liked and weight and other != row]
        if not rows:
            return None
        around = self._vectors[[row, *rows]] - self._taste.centre
        lengths = np.linalg.norm(around, axis=1)
        cosines = (around[1:] @ around[0]) / np.maximum(lengths[1:] * lengths[0], 1e-9)
        best = int(cosines.argmax())
        return rows[best] if cosines[best] > 0 else None

    def _named(self, row: int | None) -> str:
        audio_hash = "" if row is None else self._hashes[row]
        return self._titles.get(audio_hash) or audio_hash[:8]
