"""The system calls that a sandbox refuses: doors that namespaces and capabilities leave open.

Kernel keyrings belong to users, not to namespaces, and the kernel's log to the machine. Sockets
to the machine's hypervisor know no network namespace. A new user namespace gives all capabilities
anew, within it. The others are refused because they have been ways into the kernel and no package
needs them. What is refused with `ENOSYS` is what libc then does in another way.

Sources: seccomp(2), bpf(4) for the instructions, the kernel's tables of system calls; container
engines refuse the same by default.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24)  # offsets in struct seccomp_data
_NEW_USER_NAMESPACE = 0x10000000
_X32 = 0x40000000  # a second set of numbers for x86-64
_VSOCK = 40
_TERMINAL_INPUT, _CONSOLE_INPUT = 0x5412, 0x541C  # TIOCSTI, TIOCLINUX: typing for the user


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """How a machine's system calls are numbered."""

    audit: int
    refused: Mapping[str, int]
    clone: int
    clone3: int
    unshare: int
    socket: int
    ioctl: int


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        refused={
            "add_key": 248,
            "bpf": 321,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "io_uring_setup": 425,
            "keyctl": 250,
            "open_by_handle_at": 304,
            "perf_event_open": 298,
            "request_key": 249,
            "syslog": 103,
            "userfaultfd": 323,
        },
        clone=56,
        clone3=435,
        unshare=272,
        socket=41,
        ioctl=16,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        refused={
            "add_key": 217,
            "bpf": 280,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "io_uring_setup": 425,
            "keyctl": 219,
            "open_by_handle_at": 265,
            "perf_event_open": 241,
            "request_key": 218,
            "syslog": 116,
            "userfaultfd": 282,
        },
        clone=220,
        clone3=435,
        unshare=97,
        socket=198,
        ioctl=29,
    ),
}


def system_call_filter(machine: str) -> bytes:
    """Return the filter for a machine as the kernel calls it (`x86_64`), as instructions of BPF.

    Raises `ValueError` for a machine whose system calls are not known.
    """
    if machine not in _MACHINES:
        raise ValueError(f"lamina knows the system calls of {' and '.join(_MACHINES)} only")
    calls = _MACHINES[machine]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, calls.audit),
        _fail(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _fail(errno.ENOSYS),
    ]
    for number in sorted(calls.refused.values()):
        program += [(_EQUAL, 0, 1, number), _fail(errno.EPERM)]
    program += [(_EQUAL, 0, 1, calls.clone3), _fail(errno.ENOSYS)]
    for number in (calls.clone, calls.unshare):
        program += _when(number, 0, (_ANY_BIT, _NEW_USER_NAMESPACE), errno.EPERM)
    program += _when(calls.socket, 0, (_EQUAL, _VSOCK), errno.EAFNOSUPPORT)
    for request in (_TERMINAL_INPUT, _CONSOLE_INPUT):
        program += _when(calls.ioctl, 1, (_EQUAL, request), errno.EPERM)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


_Instruction = tuple[int, int, int, int]


def _fail(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _FAIL | number)


def _when(
    number: int, argument: int, test: tuple[int, int], fault: int
) -> tuple[_Instruction, ...]:
    """Return the instructions that refuse one call where an argument passes a test."""
    code, value = test
    return (
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _ARGUMENTS[argument]),
        (code, 0, 1, value),
        _fail(fault),
        (_LOAD, 0, 0, _NUMBER),
    )
