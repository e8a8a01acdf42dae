"""Any backbone of timm by name, on the spectrogram as an image with one channel."""

import difflib

import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural, Share
from musicrec.errors import ConfigError
from musicrec.models._classifier import Classifier
from musicrec.models._input_checks import check_batch_size


class TimmNetwork(nn.Module):
    """A backbone of PyTorch Image Models (Wightman 2019, github.com/huggingface/pytorch-image-models).

    It is built with one input channel, without its classifier, and untrained: nothing is downloaded. Backbones for
    images of one size, such as most transformers, get the spectrogram resized. The package timm is imported when a
    network is built: pip install 'musicrec[timm]'.

    Args:
        outputs: {head: number of logits}.
        name: The backbone, such as "efficientnet_b0", "convnext_atto" or "vit_tiny_patch16_224".
        n_mels: Number of mel bands.
        chunk_samples: Length of the training chunks, in samples.
        width: Size of the embedding, from a linear layer and ReLU on what the backbone pools; 0 for that itself.
        dropout: Dropout before the linear layers of the heads.

    Raises:
        ConfigError: If timm is not installed, or if it has no such backbone.
    """

    def __init__(
        self,
        outputs: dict[str, int],
        *,
        name: str = "efficientnet_b0",
        n_mels: Count = 128,
        chunk_samples: Count = 59_049,
        width: Natural = 0,
        dropout: Share = 0.5,
    ) -> None:
        super().__init__()
        self.settings = {
            "name": name,
            "n_mels": n_mels,
            "chunk_samples": chunk_samples,
            "width": width,
            "dropout": dropout,
        }
        self.n_mels, self.chunk_samples = n_mels, chunk_samples
        self.input_norm = nn.BatchNorm2d(1)
        self.backbone, self.image_size = _backbone(str(name))
        pooled = getattr(self.backbone, "head_hidden_size", None) or self.backbone.num_features
        self.hidden = nn.Linear(pooled, width) if width else None
        self.embedding_size = width or pooled
        self.classifier = Classifier(self.embedding_size, outputs, dropout=dropout)

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of a batch of chunks.

        Args:
            decibels: (batch, 1, n_mels, frames).

        Returns:
            The embedding (batch, embedding_size) and the logits {head: (batch, outputs[head])}.

        Raises:
            ConfigError: If there is only one chunk in training.
        """
        if self.input_norm.training:
            check_batch_size(decibels)
        image = self.input_norm(decibels)
        if self.image_size is not None:
            image = F.interpolate(image, self.image_size, mode="bilinear", align_corners=False)
        embedding = self.backbone(image)
        if self.hidden is not None:
            embedding = F.relu(self.hidden(embedding))
        return embedding, self.classifier(embedding)


def _backbone(name: str) -> tuple[nn.Module, tuple[int, int] | None]:
    """Build a backbone, and return it with the size of its images; None if any size will do."""
    try:
        import timm
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"model=timm needs the package {error.name}; pip install 'musicrec[timm]', or choose another model "
            "(docs/networks.md)"
        ) from None
    if not timm.is_model(name):  # names with a prefix such as hf-hub: would download
        close = difflib.get_close_matches(name, timm.list_models(), n=4) or ["efficientnet_b0", "resnet18"]
        raise ConfigError(
            f"model.name={name}: timm {timm.__version__} has no such backbone; it has {', '.join(close)} … "
            "(timm.list_models())"
        )
    backbone = timm.create_model(name, pretrained=False, in_chans=1, num_classes=0)
    described = backbone.default_cfg
    fixed = described.get("fixed_input_size", False)
    return backbone, tuple(described["input_size"][1:]) if fixed else None
