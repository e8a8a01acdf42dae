"""FCN: five convolutions over half a minute, each with max pooling."""

from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._convolutions import pooled_convolutions
from musicrec.models._input_checks import check_bands, check_frames
from musicrec.models._time_pooling import Pooling, TimePooling

POOLS = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))
POOLED_BANDS, POOLED_FRAMES = 96, 1280  # 2·2·2·3·4 and 4·4·4·5·4


class FCN(nn.Module):
    """Fully convolutional network for tagging long chunks.

    Choi et al., "Automatic tagging using deep convolutional neural networks", ISMIR 2016, in the form of Won et al.,
    "Evaluation of CNN-based automatic music tagging models", SMC 2020: 447,732 parameters with 50 outputs. The five
    blocks pool 96 bands and 1,280 frames into one place, and 29 s hold one such place.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of mel bands, at least 96.
        chunk_samples: Length of the training chunks, in samples.
        width: Channels of the first and of the last block. The three between have twice as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time, in longer chunks: "max", "mean", or "attention", a weighted mean whose weights are learnt.

    Raises:
        ConfigError: If there are too few mel bands for the pooling, or if there is no such pooling.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 96,
        chunk_samples: Count = 464_000,
        width: Count = 64,
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
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, width
        self.input_norm = nn.BatchNorm2d(1)
        self.blocks = pooled_convolutions((1, width, 2 * width, 2 * width, 2 * width, width), POOLS)
        self.time_pooling = TimePooling(width, pooling)
        self.classifier = Classifier(width, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames) with at least 1,280 frames.

        Returns:
            The embedding (batch, width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer frames.
        """
        check_frames(decibels, POOLED_FRAMES, chunk_samples=self.chunk_samples)
        embedding = self.time_pooling(self.blocks(self.input_norm(decibels)).amax(dim=2))
        return embedding, self.classifier(embedding)
