"""Checks of what a network gets, with one message for all networks."""

from torch import Tensor

from musicrec.errors import ConfigError


def check_bands(n_mels: int, least: int) -> None:
    """Check that there are as many mel bands as a network pools into one.

    Args:
        n_mels: Number of mel bands.
        least: How many the network pools into one.

    Raises:
        ConfigError: If there are fewer.
    """
    if n_mels < least:
        raise ConfigError(f"model.n_mels={n_mels}: this network pools {least} bands into one; give {least} or more")


def check_frames(spectrogram: Tensor, least: int, *, chunk_samples: int) -> None:
    """Check that a spectrogram has as many frames as a network needs.

    Args:
        spectrogram: (batch, 1, n_mels, frames).
        least: How many frames the network needs.
        chunk_samples: Length of the chunks in samples, for the message.

    Raises:
        ConfigError: If there are fewer.
    """
    frames = spectrogram.shape[-1]
    if frames < least:
        raise ConfigError(
            f"model.chunk_samples={chunk_samples}: this network needs at least {least} frames, not {frames}; use "
            "longer chunks or a shorter frontend.hop_length"
        )


def check_batch_size(chunks: Tensor) -> None:
    """Check that a training batch has more than one chunk, for networks that normalise over the batch.

    Args:
        chunks: (batch, …).

    Raises:
        ConfigError: If there is only one chunk.
    """
    if len(chunks) < 2:
        raise ConfigError(
            "a training batch has only one chunk, but this network normalises over the batch; set data.batch_size to "
            "2 or more, and if a whole epoch has only one chunk, raise data.chunks_per_track"
        )
