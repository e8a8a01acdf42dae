"""Evaluate exports or checkpoints on the splits of a dataset. `python evaluate.py --help` shows how."""

from musicrec.programs import startup  # noqa: F401  first, because the next import takes longer
from musicrec.programs.launch import launch

if __name__ == "__main__":
    launch("evaluate")
