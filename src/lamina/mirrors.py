"""Where files come from: the one place in which a repository's name becomes an address.

Catalogue and lock know repositories, and the places of artifacts, by name only, so that both work
wherever there is a mirror.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from lamina.errors import Fault, UsageError

_SCHEMES = ("http", "https", "file")
_ONE_LINE = re.compile(r"deb\s+(?:\[[^]]*\]\s+)?(?P<url>\S+)\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """The address of each repository in use."""

    urls: Mapping[str, str]  # repository name to base address, without a slash at the end

    def url(self, repository: str, path: str) -> str:
        """Return the address of a file of the repository, its path relative to the root."""
        return f"{self.urls[repository]}/{quote(path, safe='/+:=@,~')}"


def find_mirrors(
    repositories: Iterable[str],
    settings: Mapping[str, str],
    *,
    usual: Mapping[str, str] = MappingProxyType({}),
    apt: Path = Path("/etc/apt"),
) -> Mirrors:
    """Return the mirrors of `repositories`: as the settings say, else `usual`, else as apt has it.

    A folder of this machine is an address too. This host's apt's address is taken when its last
    path part equals the repository's name, the first one where there are several. Raises
    `UsageError` naming every repository without a usable mirror.
    """
    names = sorted(set(repositories))
    given = {**usual, **settings}
    host = _addresses_by_name(apt) if any(name not in given for name in names) else {}
    urls = {name: _address(given.get(name, host.get(name, ""))) for name in names}
    UsageError.raise_all([fault for name in names for fault in _faults(name, urls[name])])
    return Mirrors(urls=urls)


def _address(text: str) -> str:
    """Return the address that is meant, without a slash at the end."""
    url = Path(text).as_uri() if text.startswith("/") else text
    return url.rstrip("/")


def _faults(name: str, url: str) -> Iterator[Fault]:
    if not url:
        yield Fault(
            "",
            f"no mirror is known for the repository {name}",
            f'set one in lamina.toml: [mirrors] {name} = "https://MIRROR/{name}"',
        )
        return
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.scheme == "file"):
        known = ", ".join(f"{scheme}:" for scheme in _SCHEMES)
        yield Fault("", f"the mirror of {name} is not an address", f"use one of {known}")


def _addresses_by_name(apt: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for url in _host_addresses(apt):
        if urlsplit(url).scheme in _SCHEMES:
            found.setdefault(url.rstrip("/").rpartition("/")[2], url)
    return found


def _host_addresses(apt: Path) -> Iterator[str]:
    # Loaded here, because most runs ask no mirror.
    from debian.deb822 import Deb822

    parts = apt / "sources.list.d"
    for file in [apt / "sources.list", *sorted(parts.glob("*.list"))]:
        if file.is_file():
            lines = file.read_text(errors="replace").splitlines()
            matches = (_ONE_LINE.match(line.strip()) for line in lines)
            yield from (match["url"] for match in matches if match)
    for file in sorted(parts.glob("*.sources")):
        with file.open("rb") as content:
            for stanza in Deb822.iter_paragraphs(content, use_apt_pkg=False):
                enabled = stanza.get("Enabled", "yes").strip().lower()
                if enabled != "no" and "deb" in stanza.get("Types", "").split():
                    yield from stanza.get("URIs", "").split()
