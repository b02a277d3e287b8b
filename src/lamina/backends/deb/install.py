"""The calls that install an image's packages from husks, in the order in which apt would have.

Sources: dpkg(1); apt-get's own calls of dpkg (apt-pkg/deb/dpkgpm.cc); Debian policy 6.6 for what
dpkg does in an unpack and a configure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from lamina.backends.deb.database import activations
from lamina.engine.sandbox import Call
from lamina.engine.stack import Stack
from lamina.engine.unit import HUSK, RECORD, UnitFacts
from lamina.model.image import Group, User
from lamina.model.lock import LockedImage, UnitRef

# Where the sandbox sees the store's units and the packages themselves.
UNITS = "/tmp/.lamina/units"  # noqa: S108 - a path in the sandbox, whose /tmp is private
PACKAGES = "/tmp/.lamina/packages"  # noqa: S108
PROGRAMS = "/tmp/.lamina/programs"  # noqa: S108 - found before the image's own

POLICY = "/usr/sbin/policy-rc.d"
_DENY_SERVICES = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 0755 {POLICY}"
_NEW_DATABASE = """
umask 022
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers
touch /var/lib/dpkg/status /var/lib/dpkg/available
"""
# What is unpacked, and after it the triggers that this activates, a line each.
_RECORD = """
printf '%s' "$1" >> /var/lib/dpkg/triggers/Unincorp
shift
cat -- "$@" >> /var/lib/dpkg/status
"""
_ESSENTIALS = "configure the essential packages"
_ACCOUNT_TOOLS = frozenset({"usr/sbin/groupadd", "usr/sbin/useradd"})
# As apt has it called, by debconf's own configuration of apt (70debconf).
_PRECONFIGURE = """
if [ -x /usr/sbin/dpkg-preconfigure ]; then
    printf '%s\\n' "$@" | /usr/sbin/dpkg-preconfigure --apt || true
fi
"""
_DEBCONF = "debconf"
# A group that an ancestor made for another's sake is a user's own here. Its id must be the same.
_ADD_GROUP = """
[ "$(getent group "$2" | cut -d: -f3)" = "$1" ] || groupadd --system --gid "$1" "$2"
"""
_DPKG = ("dpkg", "--force-unsafe-io", "--force-depends")
_Way = Literal["record", "husk", "real"]


def environment(epoch: int) -> Mapping[str, str]:
    """Return the environment of maintainer scripts and steps; `epoch` in seconds since 1970."""
    return {
        "PATH": f"{PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(epoch),
        # Files that are written in the order of a hash come out the same (perlrun, python(1)).
        "PERL_HASH_SEED": "0",
        "PYTHONHASHSEED": "0",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The packages of an image by unit key, and those that dpkg must unpack itself."""

    units: Mapping[str, UnitRef]
    facts: Mapping[str, UnitFacts]
    real: Collection[str]
    stack: Stack  # what they are installed over

    def way(self, key: str) -> _Way:
        """Return how a package is unpacked: its record written down, or by dpkg."""
        if key in self.real:
            return "real"
        facts = self.facts[key]
        # An older version's record must be taken out of the database.
        return "husk" if facts.husk or facts.name in self.stack.packages else "record"

    def file(self, key: str) -> str:
        """Return where the sandbox sees what dpkg can unpack: the package, or its husk."""
        if key in self.real:
            return f"{PACKAGES}/{self.units[key].digest.hex}"
        return f"{UNITS}/{self.facts[key].digest.hex}/{HUSK}"


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
    interests = set(packages.stack.interests)
    if locked.bootstrap:
        calls.append(_shell("make dpkg's database", _NEW_DATABASE, variables))
        calls.append(_shell("deny services", _DENY_SERVICES, variables))
        calls += _unpack(locked.bootstrap, packages, interests, variables)
        essential = [key for key in locked.bootstrap if not _makes_accounts(packages.facts[key])]
        # Other packages count on these without saying so (Debian policy 3.8).
        calls.append(replace(_configure(essential, packages, variables), title=_ESSENTIALS))
        calls.append(_configure_pending(variables))
    elif locked.calls:
        calls.append(_shell("deny services", _DENY_SERVICES, variables))
    calls += accounts
    calls += _preconfigure(locked, packages, variables)
    for call in locked.calls:
        if call.action == "unpack":
            calls += _unpack(call.units, packages, interests, variables)
        else:
            calls.append(_configure(call.units, packages, variables))
    if locked.calls:
        calls.append(_configure_pending(variables))
    if locked.calls or locked.bootstrap:
        calls.append(_shell("allow services", f"rm -f {POLICY}", variables))
    return tuple(calls)


def _preconfigure(
    locked: LockedImage, packages: Packages, variables: Mapping[str, str]
) -> tuple[Call, ...]:
    """Return the call by which debconf learns of the packages' questions before all else.

    Scripts that speak to debconf make it learn of their package's questions as well, but not all
    do, and not by the same name of the package.
    """
    keys = [key for call in locked.calls if call.action == "unpack" for key in call.units]
    asking = [key for key in keys if packages.facts[key].asks]
    if not asking or _DEBCONF not in packages.stack.packages:
        return ()
    files = [packages.file(key) for key in asking]
    argv = ("/bin/sh", "-euc", _PRECONFIGURE, "sh", *files)
    title = f"preconfigure {' '.join(packages.facts[key].name for key in asking)}"
    return (Call(argv=argv, environment=variables, title=title),)


def account_calls(
    groups: Iterable[Group], users: Iterable[User], variables: Mapping[str, str]
) -> tuple[Call, ...]:
    """Return the calls that make groups and users with the catalogue's ids."""
    gids = {group.name: group.gid for group in groups}
    people = tuple(users)
    gids |= {user.group: user.gid for user in people}
    calls = [
        Call(
            argv=("sh", "-euc", _ADD_GROUP, "sh", str(gid), name),
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


def _makes_accounts(facts: UnitFacts) -> bool:
    """Tell whether a package of the bootstrap is not essential, but there for `account_calls`."""
    return not _ACCOUNT_TOOLS.isdisjoint(facts.files)


def _unpack(
    keys: Sequence[str], packages: Packages, interests: set[str], variables: Mapping[str, str]
) -> list[Call]:
    """Return the calls that unpack packages together; what these wait for joins `interests`.

    dpkg goes first, with all that it must unpack in as few runs as can be. Scripts find the files
    of the others there all the same, and none of these may have to be unpacked before: what a
    package needs for that is configured before, in another call.
    """
    recorded: list[tuple[UnitFacts, frozenset[str]]] = []
    others: list[str] = []
    for key in keys:
        facts = packages.facts[key]
        if packages.way(key) == "record":
            recorded.append((facts, frozenset(interests)))
        else:
            others.append(key)
        interests.update(facts.interests)
    calls = [
        _unpack_real([packages.units[key] for key in group], variables)
        if way == "real"
        else _unpack_husks([packages.facts[key] for key in group], variables)
        for way, group in groupby(others, key=packages.way)
    ]
    return [*calls, _record(recorded, variables)] if recorded else calls


def _record(
    recorded: Sequence[tuple[UnitFacts, Collection[str]]], variables: Mapping[str, str]
) -> Call:
    """Return the call that writes records down; with each goes what others wait for by then."""
    lines = "".join(f"{line}\n" for line in activations(recorded))
    files = (f"{UNITS}/{facts.digest.hex}/{RECORD}" for facts, _ in recorded)
    argv = ("/bin/sh", "-euc", _RECORD, "sh", lines, *files)
    title = f"unpack {' '.join(facts.name for facts, _ in recorded)}"
    return Call(argv=argv, environment=variables, title=title)


def _unpack_real(units: Sequence[UnitRef], variables: Mapping[str, str]) -> Call:
    files = (f"{PACKAGES}/{unit.digest.hex}" for unit in units)
    argv = (*_DPKG, "--unpack", *files)
    title = f"unpack {' '.join(unit.name for unit in units)}"
    return Call(argv=argv, environment=variables, title=title)


def _unpack_husks(facts: Sequence[UnitFacts], variables: Mapping[str, str]) -> Call:
    conffiles = sorted({path for each in facts for path in each.conffiles})
    included = (f"--path-include={_pattern(path)}" for path in conffiles)
    files = (f"{UNITS}/{each.digest.hex}/{HUSK}" for each in facts)
    argv = (*_DPKG, "--path-exclude=/*", *included, "--unpack", *files)
    title = f"unpack {' '.join(each.name for each in facts)}"
    return Call(argv=argv, environment=variables, title=title)


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
