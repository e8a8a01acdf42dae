"""How far indexing has come, and what it did, in plain JSON types."""

import os
import time
from dataclasses import asdict
from typing import Any

from musicrec.recommend.index_report import IndexReport
from musicrec.system.progress import Step
from musicrec.web.worker_loop import Report

_MOST_LISTED = 200  # files that cannot be read
_TOLD_EVERY_S = 0.25


class IndexProgress:
    """Tells how far indexing has come.

    Args:
        report: Where to tell it.
    """

    def __init__(self, report: Report) -> None:
        self._report, self._begin, self._told = report, time.monotonic(), 0.0
        self._unreadable: list[dict[str, str]] = []
        self._failed = 0
        self._stage, self._first, self._last = "", 0, ""
        self._rate = 0.0
        self._interrupted = False
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        """Take what the user should know before the analysis."""
        self.remarks.append(text)

    def __call__(self, step: Step) -> None:
        """Take a step.

        Raises:
            KeyboardInterrupt: The user cancelled it; what is done is kept.
        """
        now = time.monotonic()
        if step.doing != self._stage:
            self._stage, self._begin, self._told = step.doing, now, 0.0
        if step.name is not None:
            self._last = os.path.basename(step.name)
        if step.problem is not None:
            self._failed += 1
            if len(self._unreadable) < _MOST_LISTED:
                self._unreadable.append({"path": str(step.name), "why": step.problem})
        self._rate = step.done / max(now - self._begin, 1e-3)
        if now > self._told + _TOLD_EVERY_S or step.done == step.total:
            self._told = now
            message = f"{step.doing}: {self._last}" if self._last else step.doing
            self._report.tell(done=step.done, total=step.total, message=message, result=self._numbers())
        if self._report.cancelled.is_set() and not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt

    def result(self) -> dict[str, Any]:
        """Return what is known so far, with the files that cannot be read."""
        return {**self._numbers(), "unreadable": list(self._unreadable)}

    def _numbers(self) -> dict[str, Any]:
        """Return what is told four times a second, and so has no long list."""
        return {
            "stage": self._stage,
            "files_per_minute": round(60 * self._rate, 1),
            "current": self._last,
            "unreadable_files": self._failed,
            "remarks": self.remarks,
        }


def index_summary(done: IndexReport) -> dict[str, Any]:
    """Return the report of indexing in plain JSON types, with no more than 200 of the files that cannot be read."""
    lists = ("left_out", "notes", "unreadable", "remarked")
    numbers = {name: value for name, value in asdict(done).items() if name not in lists}
    return {
        **numbers,
        "readable": done.readable,
        "unreadable": [{"path": path, "why": why} for path, why in done.unreadable[:_MOST_LISTED]],
        "unreadable_files": len(done.unreadable),
        "left_out": [{"what": what, "files": len(names)} for what, names in done.left_out],
    }
