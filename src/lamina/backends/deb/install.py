"""The calls that install an image's packages from husks, in the order in which apt would have.

Sources: dpkg(1); apt-get's own calls of dpkg (apt-pkg/deb/dpkgpm.cc); Debian policy 6.6 for what
dpkg does in an unpack and a configure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lamina.engine.sandbox import Call
from lamina.engine.unit import HUSK, UnitFacts
from lamina.model.image import Group, User
from lamina.model.lock import LockedImage, UnitRef

# Where the sandbox sees the store's units and the packages themselves.
UNITS = "/tmp/.lamina/units"  # noqa: S108 - a path in the sandbox, whose /tmp is private
PACKAGES = "/tmp/.lamina/packages"  # noqa: S108

POLICY = "/usr/sbin/policy-rc.d"
_DENY_SERVICES = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 0755 {POLICY}"
_NEW_DATABASE = """
umask 022
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers
touch /var/lib/dpkg/status /var/lib/dpkg/available
"""
_DPKG = ("dpkg", "--force-unsafe-io", "--force-depends")


def environment(epoch: int) -> Mapping[str, str]:
    """Return the environment of maintainer scripts and steps; `epoch` in seconds since 1970."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(epoch),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The packages of an image by unit key, and those that dpkg must unpack itself."""

    units: Mapping[str, UnitRef]
    facts: Mapping[str, UnitFacts]
    real: Collection[str]


def install_calls(
    locked: LockedImage,
    packages: Packages,
    accounts: Sequence[Call],
    variables: Mapping[str, str],
) -> tuple[Call, ...]:
    """Return the calls for one image, `accounts` before any package of its own.

    In an image made from nothing the accounts come after the essential packages, which bring the
    program that makes them.
    """
    calls: list[Call] = []
    if locked.bootstrap:
        calls.append(_shell("make dpkg's database", _NEW_DATABASE, variables))
        calls.append(_shell("deny services", _DENY_SERVICES, variables))
        calls += _unpack(locked.bootstrap, packages, variables)
        calls.append(_configure_pending(variables))
    elif locked.calls:
        calls.append(_shell("deny services", _DENY_SERVICES, variables))
    calls += accounts
    for call in locked.calls:
        if call.action == "unpack":
            calls += _unpack(call.units, packages, variables)
        else:
            calls.append(_configure(call.units, packages, variables))
    if locked.calls:
        calls.append(_configure_pending(variables))
    if locked.calls or locked.bootstrap:
        calls.append(_shell("allow services", f"rm -f {POLICY}", variables))
    return tuple(calls)


def account_calls(
    groups: Iterable[Group], users: Iterable[User], variables: Mapping[str, str]
) -> tuple[Call, ...]:
    """Return the calls that make groups and users with the catalogue's ids."""
    gids = {group.name: group.gid for group in groups}
    people = tuple(users)
    gids |= {user.group: user.gid for user in people}
    calls = [
        Call(
            argv=("groupadd", "--system", "--gid", str(gid), name),
            environment=variables,
            title=f"group {name}",
        )
        for name, gid in sorted(gids.items(), key=lambda item: item[1])
    ]
    for user in sorted(people, key=lambda user: user.uid):
        argv = (
            *("useradd", "--system", "--no-log-init", "--no-create-home"),
            *("--uid", str(user.uid), "--gid", str(user.gid)),
            *("--home-dir", user.home, "--shell", user.shell),
            *(("--groups", ",".join(user.groups)) if user.groups else ()),
            user.name,
        )
        calls.append(Call(argv=argv, environment=variables, title=f"user {user.name}"))
    return tuple(calls)


def _unpack(keys: Sequence[str], packages: Packages, variables: Mapping[str, str]) -> list[Call]:
    units = packages.units
    calls = []
    for real, group in groupby(keys, key=lambda key: key in packages.real):
        names = tuple(group)
        if real:
            options: tuple[str, ...] = ()
            files = tuple(f"{PACKAGES}/{units[key].digest.hex}" for key in names)
        else:
            conffiles = sorted({path for key in names for path in packages.facts[key].conffiles})
            options = (
                "--path-exclude=/*",
                *(f"--path-include={_pattern(path)}" for path in conffiles),
            )
            files = tuple(f"{UNITS}/{units[key].digest.hex}/{HUSK}" for key in names)
        calls.append(
            Call(
                argv=(*_DPKG, *options, "--unpack", *files),
                environment=variables,
                title=f"unpack {' '.join(units[key].name for key in names)}",
            )
        )
    return calls


def _pattern(path: str) -> str:
    """Return the pattern of dpkg that means this path only."""
    return re.sub(r"[\\*?\[]", r"\\\g<0>", path)


def _configure(keys: Sequence[str], packages: Packages, variables: Mapping[str, str]) -> Call:
    units = packages.units
    names = tuple(
        # The architecture tells apart what may be installed for several.
        units[key].name if units[key].architecture == "all"
        else f"{units[key].name}:{units[key].architecture}"
        for key in keys
    )  # fmt: skip
    return Call(
        argv=(*_DPKG, "--no-triggers", "--configure", *names),
        environment=variables,
        title=f"configure {' '.join(names)}",
    )


def _configure_pending(variables: Mapping[str, str]) -> Call:
    return Call(
        argv=(*_DPKG, "--configure", "--pending"),
        environment=variables,
        title="configure what is left",
    )


def _shell(title: str, script: str, variables: Mapping[str, str]) -> Call:
    return Call(argv=("/bin/sh", "-euc", script), environment=variables, title=title)
