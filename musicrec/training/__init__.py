"""The LightningModule, training recipes, resuming, and pooling over chunks."""
