"""How this process uses memory."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """Let glibc keep the memory that is freed, for the next training step or track, instead of asking the kernel again.

    By default glibc maps each large tensor anew, and the kernel clears every page of it, which slows work on a CPU.
    With this setting, the process keeps its peak of memory until it ends. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
