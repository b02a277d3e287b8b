"""apt's choice for one request, and the order in which it would carry it out."""

from __future__ import annotations

import re

import apt_pkg  # type: ignore[import-not-found]

from .index import Index, Json, RefusedError
from .refusal import broken_reasons, changes_of_parent, similar_names

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


class Order(apt_pkg.PackageManager):  # type: ignore[misc]
    """Records in which order apt unpacks and configures, instead of doing it."""

    def __init__(self, depcache: apt_pkg.DepCache) -> None:
        del depcache  # taken by the constructor of the base, in C
        self.actions: list[tuple[str, str]] = []

    def install(self, package: apt_pkg.Package, file: str) -> bool:
        """Record that `package` is unpacked."""
        self.actions.append(("unpack", package.name))
        return True

    def configure(self, package: apt_pkg.Package) -> bool:
        """Record that `package` is configured."""
        self.actions.append(("configure", package.name))
        return True

    def remove(self, package: apt_pkg.Package, purge: bool) -> bool:
        """Refuse: a removal must have been found before."""
        return False

    def go(self, fd: int) -> bool:
        """Do nothing: there is no dpkg to be run."""
        return True


def providers_of(package: apt_pkg.Package, depcache: apt_pkg.DepCache) -> list[apt_pkg.Package]:
    """Return the packages whose candidate provides a virtual package."""
    found: dict[str, apt_pkg.Package] = {}
    for _, _, version in package.provides_list:
        owner = version.parent_pkg
        if depcache.get_candidate_ver(owner) == version:
            found[owner.name] = owner
    return [found[name] for name in sorted(found)]


def requested(names: list[str], index: Index, depcache: apt_pkg.DepCache) -> list[apt_pkg.Package]:
    """Return the packages that `names` mean to apt-get; what the parent has is left out."""
    packages: list[apt_pkg.Package] = []
    wrong: list[Json] = []
    for name in names:
        package = index.cache[name] if _NAME.fullmatch(name) and name in index.cache else None
        if package is not None and package.current_ver is not None:
            continue
        if package is not None and depcache.get_candidate_ver(package) is not None:
            packages.append(package)
            continue
        providers = providers_of(package, depcache) if package is not None else []
        if len(providers) == 1:
            packages += [provider for provider in providers if provider.current_ver is None]
        elif providers:
            chooseable = [provider.name for provider in providers]
            wrong.append({"kind": "virtual", "name": name, "providers": chooseable})
        else:
            wrong.append({"kind": "unknown", "name": name, "near": similar_names(name, index)})
    if wrong:
        raise RefusedError(wrong)
    return packages


def solve(names: list[str], index: Index) -> apt_pkg.DepCache:
    """Return apt's choice for the request, made as `apt-get install` makes it."""
    depcache = apt_pkg.DepCache(index.cache)
    packages = requested(names, index, depcache)
    resolver = apt_pkg.ProblemResolver(depcache)
    with apt_pkg.ActionGroup(depcache):
        for package in packages:
            resolver.clear(package)
            resolver.protect(package)
            depcache.mark_install(package, False, True)
        # apt-get keeps what it still has to complete in a set ordered by place in the cache.
        for package in sorted(packages, key=lambda package: int(package.id)):
            if depcache.is_inst_broken(package):
                depcache.mark_install(package, True, True)
    try:
        resolver.resolve(True)
    except apt_pkg.Error as error:
        reasons = broken_reasons(index, depcache) or [str(error)]
        raise RefusedError([{"kind": "broken", "reason": reason} for reason in reasons]) from None
    changes = list(changes_of_parent(index, depcache))
    if changes:
        raise RefusedError(changes)
    return depcache


def ordered(index: Index, depcache: apt_pkg.DepCache) -> list[tuple[str, str]]:
    """Return in which order apt would call dpkg for the choice.

    Raises `apt_pkg.Error` when apt finds no order for all of it.
    """
    order = Order(depcache)
    expected = depcache.inst_count
    # Only after this does the package manager know files, without which it orders nothing.
    order.get_archives(apt_pkg.Acquire(), index.sources, index.records)
    done = order.do_install()
    unpacked = sum(action == "unpack" for action, _ in order.actions)
    if done == order.RESULT_FAILED or unpacked != expected:
        raise apt_pkg.Error(f"an order was found for {unpacked} of {expected} packages")
    return order.actions


ACCOUNT_TOOLS = ("passwd",)
"""What makes users and groups: the catalogue's exist before any package that is asked for."""

MERGER, MERGED = "usrmerge", "usr-is-merged"
"""What makes /bin, /sbin and /lib links into /usr, and what stands for it where they are."""


def essentials(index: Index, *others: str) -> list[Json]:
    """Return the essential packages and the account tools, with all they depend on, by name.

    With them come `others`, as far as the index has them.
    """
    names = [package.name for package in index.cache.packages if index.is_essential(package)]
    names += [name for name in (*ACCOUNT_TOOLS, *others) if name in index.cache]
    depcache = solve(sorted(names), index)
    chosen = [package for package in index.cache.packages if depcache.marked_install(package)]
    return [
        index.entry(depcache.get_candidate_ver(package))
        for package in sorted(chosen, key=lambda package: str(package.name))
    ]


def choice(names: list[str], index: Index) -> Json:
    """Return what is unpacked and configured for the request, and in which order."""
    depcache = solve(names, index)
    actions = ordered(index, depcache)
    unpacked = [name for action, name in actions if action == "unpack"]
    versions = [depcache.get_candidate_ver(index.cache[name]) for name in unpacked]
    return {"actions": actions, "units": [index.entry(version) for version in versions]}
