"""k2c2: five convolutions over bands and time, the FCN in the form in which it was compared with the CRNN."""

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import pooled_convolutions
from musicrec.models._input_checks import check_bands, check_frames
from musicrec.models._time_pooling import Pooling, TimePooling
from musicrec.models.fcn import POOLED_BANDS, POOLED_FRAMES, POOLS


class K2C2(nn.Module):
    """Fully convolutional network for tagging long chunks, with two-dimensional kernels.

    Choi et al., "Convolutional recurrent neural networks for music classification", ICASSP 2017, where it is compared
    with `K1C2`, `K2C1` and the CRNN at the same number of parameters: one million, with the default width. It differs
    from `FCN` in its widths, which increase up to the last block, and in ELU in place of ReLU.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 96.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first block. The others have about 2, 2, 3 and 4 times as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time, in chunks of more than 1,280 frames: "max", "mean", or "attention".

    Raises:
        ConfigError: If there are too few mel bands for the pooling, or if there is no such pooling.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 464_000,
        width: Count = 67,
        dropout: Share = 0.5,
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        check_bands(n_mels, POOLED_BANDS)
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
            "pooling": pooling,
        }
        # 67, 135, 135, 203 and 271, multiples of 67.7, have together one million parameters.
        channels = (1, width, 2 * width + 1, 2 * width + 1, 3 * width + 2, 4 * width + 3)
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, channels[-1]
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = pooled_convolutions(channels, POOLS, activation=F.elu)
        self.time_pooling = TimePooling(channels[-1], pooling)
        self.classifier = Classifier(channels[-1], outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 1,280 frames.

        Returns:
            The embedding (batch, 4 * width + 3) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames.
        """
        check_frames(decibels, POOLED_FRAMES, chunk_samples=self.chunk_samples)
        embedding = self.time_pooling(self.blocks(self.input_norm(decibels)).amax(dim=2))
        return embedding, self.classifier(embedding)
