"""`python -m musicrec` does the same as the `musicrec` command."""

from musicrec.programs import startup  # noqa: F401  first: see there
from musicrec.programs.command import main

if __name__ == "__main__":
    main()
