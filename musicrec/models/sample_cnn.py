"""Sample-level CNN: eleven convolutions over the waveform, without a spectrogram."""

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._time_pooling import Pooling, TimePooling
from musicrec.models._waveform_input import POOLED, blocks_over_samples, check_waveform, waveform_of


class SampleCNN(nn.Module):
    """Convolutional network for tags that hears samples.

    Lee et al., "Sample-level deep convolutional neural networks for music auto-tagging using raw waveforms", SMC 2017,
    in the form of Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 1,869,874 parameters
    with 50 outputs. The filters of the first ten blocks see three samples or frames, and each of these blocks leaves a
    third of them: of 59,049 (3^10) samples, 3.69 s at 16 kHz, one place remains. It needs frontend=waveform.

    Args:
        outputs: {head: number of logits}.
        n_mels: Number of rows of the input: 1, the waveform. The name is that of other networks.
        chunk_samples: Length of the training chunks, in samples, at least 59,049.
        width: Channels of the first three blocks. The next six blocks have twice, the last two four times as many.
        dropout: Dropout before the linear layers of the heads.
        pooling: Over time, in longer chunks: "max", "mean", or "attention", a weighted mean whose weights are learnt.

    Raises:
        ConfigError: If the input has several rows, if chunks are too short, or if there is no such pooling.
    """

    needs_frontend = "waveform"

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        n_mels: Count = 1,
        chunk_samples: Count = POOLED,
        width: Count = 128,
        dropout: Share = 0.5,
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        check_waveform(n_mels=n_mels, chunk_samples=chunk_samples)
        self.settings = {
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
            "pooling": pooling,
        }
        self.n_mels, self.chunk_samples, self.embedding_size = n_mels, chunk_samples, 4 * width
        self.blocks = blocks_over_samples(_Block, width)
        self.time_pooling = TimePooling(4 * width, pooling)
        self.classifier = Classifier(4 * width, outputs, dropout=dropout)

    def forward(self, waveform: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            waveform: (batch, 1, 1, samples), as `frontend=waveform` gives it, with at least 59,049 samples.

        Returns:
            The embedding (batch, 4 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer samples.
        """
        embedding = self.time_pooling(self.blocks(waveform_of(waveform)))
        return embedding, self.classifier(embedding)


class _Block(nn.Module):
    """A convolution over time, batch normalisation, ReLU and max pooling."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, size, stride=stride, padding=size // 2)
        self.norm = nn.BatchNorm1d(outputs)
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        features = self.norm(self.conv(features))
        return F.relu(F.max_pool1d(features, self.pool))  # in this order ReLU has fewer values to process
