"""Why apt cannot make a choice, or must not make the one that it would make."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import apt_pkg  # type: ignore[import-not-found]

from .index import Index, Json

_NEGATIVE = ("Conflicts", "Breaks")
_REQUIRED = ("Depends", "PreDepends", *_NEGATIVE)


def similar_names(name: str, index: Index) -> list[str]:
    """Return the package names that were probably meant."""
    names = {
        package.name
        for package in index.cache.packages
        if package.has_versions
        and package.name[:1] == name[:1]
        and abs(len(package.name) - len(name)) < 4
    }
    return difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.8)


def version_after(package: apt_pkg.Package, depcache: apt_pkg.DepCache) -> apt_pkg.Version | None:
    """Return the version that `package` would have in the image, if any."""
    if depcache.marked_delete(package):
        return None
    if depcache.marked_install(package) or depcache.marked_upgrade(package):
        return depcache.get_candidate_ver(package)
    return package.current_ver


def relations(version: apt_pkg.Version) -> Iterator[tuple[str, list[apt_pkg.Dependency]]]:
    """Yield the relations of `version` that must hold, each with its alternatives."""
    for kind in _REQUIRED:
        for alternatives in version.depends_list.get(kind, []):
            yield kind, alternatives


def holds(kind: str, alternatives: list[apt_pkg.Dependency], depcache: apt_pkg.DepCache) -> bool:
    """Tell whether a relation holds in the image."""
    owner = alternatives[0].parent_pkg
    met = any(
        target == version_after(target.parent_pkg, depcache)
        for dependency in alternatives
        for target in dependency.all_targets()
        if kind not in _NEGATIVE or target.parent_pkg.id != owner.id
    )
    return met is not (kind in _NEGATIVE)


def relation_text(kind: str, alternatives: list[apt_pkg.Dependency]) -> str:
    """Spell a relation as a control file does."""
    spelled = (
        f"{d.target_pkg.name} ({d.comp_type_deb} {d.target_ver})"
        if d.target_ver
        else str(d.target_pkg.name)
        for d in alternatives
    )
    return f"{kind.replace('PreDep', 'Pre-Dep')}: {' | '.join(spelled)}"


def obstacle(kind: str, alternatives: list[apt_pkg.Dependency], depcache: apt_pkg.DepCache) -> str:
    """Say why a relation does not hold in the image."""
    package = alternatives[0].target_pkg
    if kind in _NEGATIVE:
        present = {
            f"{target.parent_pkg.name} {target.ver_str}"
            for target in alternatives[0].all_targets()
            if target == version_after(target.parent_pkg, depcache)
        }
        return f"{' and '.join(sorted(present))} would be installed"
    after = version_after(package, depcache)
    if after is not None:
        return f"{after.ver_str} would be installed"
    if depcache.get_candidate_ver(package) is None and not package.has_provides:
        return "no repository has it"
    return "it cannot be installed with the others"


def broken_reasons(index: Index, depcache: apt_pkg.DepCache) -> list[str]:
    """Return the relations that keep the request from being met, in apt's words."""
    reasons: set[str] = set()
    for package in index.cache.packages:
        if not depcache.is_inst_broken(package):
            continue
        version = version_after(package, depcache)
        for kind, alternatives in relations(version) if version is not None else ():
            if not holds(kind, alternatives, depcache):
                text = relation_text(kind, alternatives)
                reasons.add(f"{package.name} {text}, but {obstacle(kind, alternatives, depcache)}")
    return sorted(reasons)


def changes_of_parent(index: Index, depcache: apt_pkg.DepCache) -> Iterator[Json]:
    """Yield what the choice would remove from the parent, or put in another version."""
    for package in index.installed:
        after = version_after(package, depcache)
        if after == package.current_ver:
            continue
        yield {
            "kind": "parent",
            "name": package.name,
            "installed": package.current_ver.ver_str,
            "after": after.ver_str if after is not None else None,
            "because": sorted(blamed(package, index, depcache)),
        }


def blamed(package: apt_pkg.Package, index: Index, depcache: apt_pkg.DepCache) -> Iterator[str]:
    """Yield the relations of new packages that the parent's version of `package` cannot meet."""
    for other in index.cache.packages:
        after = version_after(other, depcache)
        if after is None or after == other.current_ver:
            continue
        for kind, alternatives in relations(after):
            targets = [target for d in alternatives for target in d.all_targets()]
            hit = package.current_ver in targets
            named = any(d.target_pkg.id == package.id for d in alternatives)
            if (kind in _NEGATIVE and hit) or (kind not in _NEGATIVE and named and not hit):
                yield f"{other.name} {relation_text(kind, alternatives)}"
