"""What all networks end with: one linear layer a head on a common embedding; and what several ask of a batch."""

from torch import Tensor, nn

from musicrec.errors import ConfigError


class Classifier(nn.Module):
    """Dropout, then one linear layer a head.

    Args:
        embedding_size: columns of the embedding.
        outputs: how many logits each head gives, by the head's name.
        dropout: probability with which a feature of the embedding is left out in training.
    """

    def __init__(self, embedding_size: int, outputs: dict[str, int], *, dropout: float) -> None:
        super().__init__()
        if not outputs:
            raise ConfigError("outputs is empty: a network needs at least one head, such as {'tags': 50}")
        self.dropout = nn.Dropout(dropout)
        self.linears = nn.ModuleDict()
        for name, size in outputs.items():
            if size < 1:
                raise ConfigError(f"outputs.{name} = {size}: a head needs at least one output")
            try:
                self.linears[name] = nn.Linear(embedding_size, size)
            except KeyError as error:  # a dot, or the name of one of ModuleDict's own methods
                raise ConfigError(f"a head cannot be called {name!r}: choose another name") from error

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """Logits (batch, outputs[name]) by head from an embedding (batch, embedding_size)."""
        embedding = self.dropout(embedding)
        return {name: linear(embedding) for name, linear in self.linears.items()}


def check_several(chunks: Tensor) -> None:
    """That a training batch holds more than one chunk, for networks that normalise over the batch.

    Raises:
        ConfigError: a single chunk, of which there are no statistics to normalise by.
    """
    if len(chunks) < 2:
        raise ConfigError(
            "a training batch holds one chunk, and this network normalises over the batch; raise data.batch_size "
            "to 2 or more, and where an epoch has one chunk alone, data.chunks_per_track"
        )
