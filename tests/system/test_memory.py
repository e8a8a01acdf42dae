"""Memory settings of the C library."""

import pytest

from musicrec.system.memory import keep_freed_memory


def test_memory_setting_is_for_glibc_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no glibc, nothing to call"))
    keep_freed_memory()
