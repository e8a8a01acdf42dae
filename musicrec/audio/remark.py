"""What there is to know about the audio of a track, beside the answers of the models."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remark:
    """A remark on the audio of a track.

    Attributes:
        text: A sentence for the user.
        unreliable: True if the models cannot answer well because of it, as for silence. Such a track is not
            recommended unless the user asks for it. False if the remark is for information only.
    """

    text: str
    unreliable: bool

    def __str__(self) -> str:
        return self.text
