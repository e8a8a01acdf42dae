"""What the other users of a store of profiles like, for a user whose taste is similar."""

import time
from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np

from musicrec.recommend.profiles import collaborative
from musicrec.recommend.profiles.collaborative import CollaborativeSettings, Listeners
from musicrec.recommend.profiles.evidence import evidence
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.profiles.taste_settings import TasteSettings

_REFIT_S = 600.0  # other listeners are asked again after this time at the earliest: a thousand take about a second


class OtherListeners:
    """All users of a store. Their model is fitted when it is first needed, and at most every ten minutes.

    Args:
        store: The store, which must stay open.
        taste: How what a user said is read.
        settings: How the model is fitted.
    """

    def __init__(self, store: ProfileStore, *, taste: TasteSettings, settings: CollaborativeSettings) -> None:
        self._store, self._taste, self._settings = store, taste, settings
        self._fitted: tuple[float, Listeners | None, dict[str, int]] | None = None

    def liking(self, user: str, audio_hashes: Sequence[str]) -> np.ndarray | None:
        """Return what listeners with a similar taste like, (recordings,) from -1 to 1.

        Args:
            user: The user.
            audio_hashes: Recordings.

        Returns:
            None if there are too few listeners (`CollaborativeSettings.least_listeners`), or the package implicit is
            not installed.
        """
        if self._fitted is None or time.monotonic() - self._fitted[0] > _REFIT_S:
            self._fitted = (time.monotonic(), *self._fit())
        _, listeners, rows = self._fitted
        if listeners is None or user not in listeners.users:
            return None
        liking = np.append(listeners.scores(user), 0.0)  # the last is for what nobody knows
        return liking[[rows.get(audio_hash, -1) for audio_hash in audio_hashes]]

    def _fit(self) -> tuple[Listeners | None, dict[str, int]]:
        if len(self._store.users()) < self._settings.least_listeners or not collaborative.available():
            return None, {}
        histories, now = self._store.histories(), datetime.now(timezone.utc)
        rows: dict[str, int] = {}
        for event in (event for events in histories.values() for event in events):
            rows.setdefault(event.audio_hash, len(rows))
        said = {user: evidence(events, rows, now=now, settings=self._taste) for user, events in histories.items()}
        return collaborative.fit_listeners(said, tracks=len(rows), settings=self._settings), rows
