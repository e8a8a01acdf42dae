"""Networks, one architecture a file: decibels in, an embedding and logits per head out."""
