"""Index your music, then ask what goes with a track. `python recommend.py --help` shows how."""

from musicrec.programs import startup  # noqa: F401  first, because the next import takes longer
from musicrec.programs.launch import launch

if __name__ == "__main__":
    launch("recommend")
