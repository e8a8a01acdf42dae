"""What indexing did."""

from dataclasses import dataclass, field

from musicrec.audio.remark import Remark


@dataclass(kw_only=True)
class IndexReport:
    """What `index` did. Each file of the source is in one of the numbers, but for `back`.

    Attributes:
        added: Number of new tracks, which were analysed.
        changed: Number of files with other audio than before, which was analysed.
        completed: Number of tracks that an older version had analysed, which were analysed again for what it did not
            know.
        retagged: Number of files with other bytes than before and the same audio.
        moved: Number of files that were known at a place where they no longer are.
        copies: Number of new or changed files with the audio of a known track.
        versions: How many of the analysed tracks are another encoding or a remaster of a recording of the library.
        unchanged: Number of files that are as before.
        back: Number of files that were missing and are there again.
        missing: Number of files of the source that are not there. They are kept, and not recommended.
        unlisted: Number of files that are there and that the source no longer lists.
        kept: Number of files that could not be looked for, as a part of the source could not be looked at. Nothing
            changed for them.
        left_out: (what, names) of what is in the source and cannot be used.
        notes: The same for what needs no action.
        unreadable: (path, reason) of the files that cannot be decoded.
        remarked: (path, remarks) of the tracks of the source with remarks on their audio.
        audio_s: Length of the analysed audio in seconds.
        wall_s: Duration of the indexing in seconds.
        interrupted: True if the user stopped it.
        tracks: Number of tracks in the library now: recordings with a file that is there.
    """

    added: int = 0
    changed: int = 0
    completed: int = 0
    retagged: int = 0
    moved: int = 0
    copies: int = 0
    versions: int = 0
    unchanged: int = 0
    back: int = 0
    missing: int = 0
    unlisted: int = 0
    kept: int = 0
    left_out: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[tuple[str, list[str]]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    remarked: list[tuple[str, tuple[Remark, ...]]] = field(default_factory=list)
    audio_s: float = 0.0
    wall_s: float = 0.0
    interrupted: bool = False
    tracks: int = 0

    @property
    def readable(self) -> int:
        """Number of files of the source that the library holds now."""
        return self.added + self.changed + self.completed + self.retagged + self.moved + self.copies + self.unchanged
