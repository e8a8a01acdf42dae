"""No front end: the place of one in a model that does not hear audio."""

from typing import Any, NoReturn

import torch
from torch import Tensor

from musicrec.errors import ExportError


class NoFrontend:
    """Stands where a model that answers about embeddings in a table has no front end. Calling it raises ExportError.

    Attributes:
        sample_rate: At which audio is decoded where another part asks for it, in hertz.
        settings: None.
    """

    sample_rate, n_fft, hop_length, n_mels = 16_000, 1, 1, 1

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    def __call__(self, waveform: Tensor) -> NoReturn:
        """Raise ExportError."""
        raise ExportError(
            "a probe on a table of embeddings cannot hear audio, as what computed the table is no part of it"
        )

    def power(self, waveform: Tensor) -> NoReturn:
        """Raise ExportError."""
        self(waveform)

    def band_of(self, hertz: float) -> float:
        """Return 0: there are no bands."""
        return 0.0

    def to(self, device: str | torch.device) -> "NoFrontend":
        """Do nothing: there is nothing to move."""
        return self
