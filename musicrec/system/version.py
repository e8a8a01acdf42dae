"""The version of musicrec: the release, and the git commit of a source tree."""

import subprocess
from pathlib import Path

VERSION = "0.2.0"  # the one place: setup.cfg reads it here


def git_commit() -> str | None:
    """Return the commit of this source tree, with "+changes" if files differ from it; None outside a checkout."""
    here = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", here, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None  # installed inside somebody else's repository
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
