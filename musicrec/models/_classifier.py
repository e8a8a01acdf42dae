"""The last layer of all networks."""

from torch import Tensor, nn

from musicrec.errors import ConfigError


class Classifier(nn.Module):
    """Dropout, followed by one linear layer per head.

    Args:
        embedding_size: Number of columns of the embedding.
        outputs: {head: number of logits}.
        dropout: Probability that a feature of the embedding is dropped in training.

    Raises:
        ConfigError: If there is no head, or if a head has no outputs or an unusable name.
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
            except KeyError as error:  # the name contains a dot, or is the name of a method of ModuleDict
                raise ConfigError(f"a head cannot be called {name!r}: choose another name") from error

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """Return the logits {head: (batch, outputs[head])} of an embedding (batch, embedding_size)."""
        embedding = self.dropout(embedding)
        return {name: linear(embedding) for name, linear in self.linears.items()}
