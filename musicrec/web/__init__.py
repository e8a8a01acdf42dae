"""The page and its HTTP API: what `musicrec serve` starts. Importing it loads neither torch nor Hydra."""
