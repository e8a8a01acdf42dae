"""Sample-level CNN with residual blocks and squeeze-and-excitation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Share
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_batch_size
from musicrec.models._time_pooling import Pooling, TimePooling
from musicrec.models._waveform_input import POOLED, blocks_over_samples, check_waveform, waveform_of


class SampleCNNSE(nn.Module):
    """Residual convolutional network for tags that hears samples, with weights for its channels.

    Kim et al., "Sample-level CNN architectures for music auto-tagging using raw waveforms", ICASSP 2018, in the form of
    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020: 6,951,858 parameters with 50
    outputs. The blocks are those of `SampleCNN` with a second convolution, a shortcut, and squeeze-and-excitation: the
    mean of every channel over the chunk decides how much each channel counts. It needs frontend=waveform.

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
        self.hidden = nn.Linear(4 * width, 4 * width)
        self.hidden_norm = nn.BatchNorm1d(4 * width)
        self.classifier = Classifier(4 * width, outputs, dropout=dropout)

    def forward(self, waveform: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            waveform: (batch, 1, 1, samples), as `frontend=waveform` gives it, with at least 59,049 samples.

        Returns:
            The embedding (batch, 4 * width) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there are fewer samples, or only one chunk in training.
        """
        if self.hidden_norm.training:
            check_batch_size(waveform)
        features = self.time_pooling(self.blocks(waveform_of(waveform)))
        embedding = F.relu(self.hidden_norm(self.hidden(features)))
        return embedding, self.classifier(embedding)


class _Block(nn.Module):
    """Two convolutions over time, weights for the channels, a shortcut, ReLU and max pooling."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, pool: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, size, stride=stride, padding=size // 2)
        self.norm1 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, size, padding=size // 2)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.squeeze = nn.Linear(outputs, outputs)
        self.excite = nn.Linear(outputs, outputs)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv1d(inputs, outputs, size, stride=stride, padding=size // 2) if changes else None
        self.shortcut_norm = nn.BatchNorm1d(outputs) if changes else None
        self.pool = pool

    def forward(self, features: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(features)))))
        share = torch.sigmoid(self.excite(F.relu(self.squeeze(residual.mean(dim=2)))))
        if self.shortcut is not None and self.shortcut_norm is not None:
            features = self.shortcut_norm(self.shortcut(features))
        return F.relu(F.max_pool1d(features + residual * share[:, :, None], self.pool))
