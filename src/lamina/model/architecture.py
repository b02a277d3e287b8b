"""What machines' architectures are called: each kind of package has words of its own."""

from __future__ import annotations

# Debian's word, which container images use as well, and the kernel's, which rpm packages use.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_ARCHITECTURES = {machine: architecture for architecture, machine in _MACHINES.items()}


def machine_of(architecture: str) -> str:
    """Return the kernel's word for an architecture: `x86_64` for `amd64`."""
    return _MACHINES.get(architecture, architecture)


def architecture_of(machine: str) -> str:
    """Return the word of container images for an architecture: `amd64` for `x86_64`."""
    return _ARCHITECTURES.get(machine, machine)


def same_machine(one: str, other: str) -> bool:
    """Tell whether two words mean one architecture."""
    return machine_of(one) == machine_of(other)
