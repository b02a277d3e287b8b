from __future__ import annotations

import errno
import struct

import pytest

from lamina.engine.system_calls import system_call_filter

ALLOWED = 0x7FFF0000
X86_64, ARM_64, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def verdict(machine: str, audit: int, number: int, *arguments: int) -> int:
    """Run the filter as the kernel does; return 0 where it allows, else the error."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<iIQ6Q", number, audit, 0, *padded)
    program = list(struct.iter_unpack("<HBBI", system_call_filter(machine)))
    at = value = 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x15:
                at += yes if value == operand else no
            case 0x35:
                at += yes if value >= operand else no
            case 0x45:
                at += yes if value & operand else no
            case 0x06:
                return 0 if operand == ALLOWED else operand & 0xFFFF
            case _:
                pytest.fail(f"no such instruction: {code}")


CASES = {
    "read": (X86_64, (0,), 0),
    "clone": (X86_64, (56, 0x11), 0),
    "clone into a user namespace": (X86_64, (56, 0x10000011), errno.EPERM),
    "unshare nothing": (X86_64, (272, 0), 0),
    "unshare the user namespace": (X86_64, (272, 0x10000000 | 0x20000), errno.EPERM),
    "clone3": (X86_64, (435,), errno.ENOSYS),
    "an internet socket": (X86_64, (41, 2), 0),
    "a socket to the hypervisor": (X86_64, (41, 40), errno.EAFNOSUPPORT),
    "another call with that argument": (X86_64, (42, 40), 0),
    "a size of the terminal": (X86_64, (16, 0, 0x5413), 0),
    "typing on the terminal": (X86_64, (16, 0, 0x5412), errno.EPERM),
    "typing on the console": (X86_64, (16, 0, 0x541C), errno.EPERM),
    "a descriptor with that number": (X86_64, (16, 0x5412, 0), 0),
    "keyctl": (X86_64, (250,), errno.EPERM),
    "bpf": (X86_64, (321,), errno.EPERM),
    "the numbers of x32": (X86_64, (0x40000000,), errno.ENOSYS),
    "32 bits": (I386, (3,), errno.ENOSYS),
    "another machine": (ARM_64, (63,), errno.ENOSYS),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call_is_allowed_or_refused(case: str) -> None:
    audit, call, expected = CASES[case]
    assert verdict("x86_64", audit, *call) == expected


def test_both_machines_refuse_the_same() -> None:
    numbers = {"clone": (56, 220), "unshare": (272, 97), "socket": (41, 198), "keyctl": (250, 219)}
    arguments = {"clone": 0x10000000, "unshare": 0x10000000, "socket": 40, "keyctl": 0}
    for name, (x86, arm) in numbers.items():
        one = verdict("x86_64", X86_64, x86, arguments[name])
        assert one == verdict("aarch64", ARM_64, arm, arguments[name]) != 0


def test_a_machine_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="x86_64 and aarch64 only"):
        system_call_filter("riscv64")
