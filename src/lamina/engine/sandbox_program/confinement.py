"""What the sandbox may do: its filter of system calls, its capabilities, its one interface.

Sources: seccomp(2), capabilities(7), netdevice(7).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct

from .kernel import LIBC, check

PR_CAPBSET_DROP = 24
CAPABILITIES = 64  # bits in a set of them; the kernel knows fewer
CAPABILITY_VERSION_3 = 0x20080522
SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 4


def raise_loopback() -> None:
    """Bring up the loopback interface of the new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(probe, 0x8914, request)  # SIOCSIFFLAGS


def refuse_system_calls(program: bytes) -> None:
    """Put a filter of system calls over this process and all that it starts."""
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    number = SYS_SECCOMP[os.uname().machine]
    flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW  # else older kernels make the processes slower
    check(LIBC.syscall(number, SECCOMP_SET_MODE_FILTER, flags, head), "seccomp")


def keep_capabilities(kept: list[int]) -> None:
    """Give up every capability but those numbered in `kept`, for good."""
    for number in range(CAPABILITIES):
        if number in kept or LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
            continue
        # One that this kernel does not know cannot be dropped, nor used.
        if ctypes.get_errno() != errno.EINVAL:
            check(-1, f"drop capability {number}")
    mask = sum(1 << number for number in kept)
    header = struct.pack("II", CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("6I", low, low, 0, high, high, 0)
    check(LIBC.capset(header, data), "capset")
