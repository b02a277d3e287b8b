"""The solver's root: a system of the distribution's own release, with its apt and its indices.

It is made once for each distribution and architecture and kept in the store; what changes later,
mirrors, keys, apt's settings, is written anew each time it is used. Everything in it runs in
mount and process namespaces of its own, so that nothing outlives lamina.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lamina import system
from lamina.errors import BuildError, CatalogError, Fault, LaminaError, NetworkError, UsageError
from lamina.mirrors import Mirrors
from lamina.model.catalog import Distro, Repository
from lamina.model.digest import Digest
from lamina.model.lock import Index
from lamina.model.url import without_credentials

_FORMAT = 1  # of the root; another one is made anew
_MARKER = "etc/lamina-root.json"
HOME = "var/lib/lamina"  # where the solver program is and looks
PROGRAM = "solver_program"
_LISTS = "var/lib/apt/lists"

# What this host's administrator decided about how mirrors are reached holds in the root as well.
_HOST_SETTINGS = re.compile(
    r'^Acquire::(Check-Valid-Until|Check-Date|Retries|https?::(Proxy|Timeout)) ".*";$', re.MULTILINE
)
_HOST_FILES = ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt")
_SETTINGS = """\
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
"""

# Mounts go with the namespace. $1 is the root, then come folders to be seen inside at their own
# place, `--`, and the command.
_ENTER = """\
set -e
root=$1; shift
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --bind -o ro "$1" "$root$1"
  shift
done
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverRoot:
    """A root that is ready for use, and what it uses."""

    path: Path
    repositories: tuple[Repository, ...]
    mirrors: Mirrors

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the arguments that run `command` inside the root."""
        folders = [
            unquote(urlsplit(url).path)
            for url in sorted(self.mirrors.urls.values())
            if urlsplit(url).scheme == "file"
        ]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*namespaces, "sh", "-c", _ENTER, "sh", str(self.path), *folders, "--", *command]


@contextmanager
def solver_root(
    distro: Distro, repositories: Sequence[Repository], mirrors: Mirrors, store: Path
) -> Iterator[SolverRoot]:
    """Yield the distribution's root, made first where there is none, for this process alone.

    Raises `NetworkError` when its packages cannot be had, `BuildError` when it cannot be made,
    `UsageError` when a program or the distribution's key is not installed, and `CatalogError`
    when another repository's key is missing.
    """
    roots = store / "roots"
    roots.mkdir(parents=True, exist_ok=True)
    path = roots / f"{distro.name}-{distro.architecture}"
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_valid(path, distro):
            _make(path, distro, mirrors)
        root = SolverRoot(path=path, repositories=tuple(repositories), mirrors=mirrors)
        _configure(root)
        yield root


def update_indices(root: SolverRoot) -> tuple[Index, ...]:
    """Bring the indices up to date, each verified by apt with the repository's own key.

    Raises `NetworkError` with apt's own messages.
    """
    sources = [
        "-o",
        "Dir::Etc::sourcelist=/dev/null",
        "-o",
        f"Dir::Etc::sourceparts=/{HOME}/sources",
    ]
    done = system.run(root.inside(["apt-get", "update", *sources]))
    if done.code:
        raise NetworkError(*_apt_faults(done.messages))
    indices = read_indices(root)
    found = {(index.repository, index.suite) for index in indices}
    NetworkError.raise_all(
        [
            Fault(
                f"{repository.name} {suite}",
                "has no InRelease file",
                "sign it with gpg --clearsign",
            )
            for repository in root.repositories
            for suite in repository.suites
            if (repository.name, suite) not in found
        ]
    )
    return indices


def read_indices(root: SolverRoot) -> tuple[Index, ...]:
    """Return the indices that the root has, by repository and suite; missing ones are left out."""
    return tuple(
        index
        for repository in sorted(root.repositories, key=lambda repository: repository.name)
        for suite in sorted(repository.suites)
        if (index := _read_index(root, repository.name, suite)) is not None
    )


def _read_index(root: SolverRoot, repository: str, suite: str) -> Index | None:
    name = list_name(root.mirrors.url(repository, f"dists/{suite}/InRelease"))
    file = root.path / _LISTS / name
    if not file.is_file():
        return None
    content = file.read_bytes()
    date = re.search(rb"^Date: (.*)$", content, re.MULTILINE)
    if date is None:
        raise NetworkError.one(f"the index of {repository} {suite} has no date")
    when = parsedate_to_datetime(date[1].decode()).astimezone(UTC)
    return Index(
        repository=repository,
        suite=suite,
        date=when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        digest=Digest.of(content),
    )


def list_name(url: str) -> str:
    """Return the name under which apt keeps a list, as its `URItoFileName` makes it."""
    bare = without_credentials(url).partition("://")[2] or urlsplit(url).path
    quoted = re.sub(r'[\\|{}\[\]<>"^~_=!@#$%&*]', lambda match: f"%{ord(match[0]):02x}", bare)
    return quoted.replace("/", "_")


def _is_valid(path: Path, distro: Distro) -> bool:
    marker = path / _MARKER
    return marker.is_file() and marker.read_text() == _marker(distro)


def _marker(distro: Distro) -> str:
    made = {"format": _FORMAT, "release": distro.release, "architecture": distro.architecture}
    return json.dumps(made, sort_keys=True) + "\n"


def _make(path: Path, distro: Distro, mirrors: Mirrors) -> None:
    """Make the root from the archive that has a suite of the release's name."""
    archive = next(
        (each for each in distro.repositories if each.default and distro.release in each.suites),
        distro.repositories[0],
    )
    if not Path(archive.keyring).is_file():
        raise UsageError.one(
            f"the key of the repository {archive.name} is not installed: {archive.keyring}",
            remedy=f"install {Path(archive.keyring).stem}, or put its key there",
        )
    source = (
        f"deb [signed-by={archive.keyring}] {mirrors.urls[archive.name]} "
        f"{distro.release} {' '.join(archive.components)}"
    )
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
        made = Path(temporary) / "root"
        done = system.run(
            [
                # What it mounts must never be there when an unfinished root is removed.
                *("unshare", "--mount", "--fork", "--kill-child"),
                *(system.path_of("mmdebstrap"), "--mode=root"),
                "--variant=apt",
                f"--architectures={distro.architecture}",
                "--include=python3-apt,ca-certificates",
                *(f"--aptopt={setting}" for setting in _host_settings()),
                distro.release,
                str(made),
                source,
            ]
        )
        if done.code:
            raise _root_error(done.messages)
        (made / _MARKER).write_text(_marker(distro))
        made.chmod(0o755)
        if path.exists():
            path.rename(Path(temporary) / "outdated")
        made.rename(path)


def _configure(root: SolverRoot) -> None:
    """Write what the root takes from the catalogue, from the settings and from this host."""
    for name in _HOST_FILES:
        if (Path("/") / name).is_file():
            (root.path / name).unlink(missing_ok=True)
            shutil.copyfile(Path("/") / name, root.path / name)
    settings = "\n".join([*_host_settings(), ""])
    (root.path / "etc/apt/apt.conf.d/99lamina").write_text(_SETTINGS + settings)
    sources = root.path / HOME / "sources"
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir(parents=True)
    program = Path(__file__).with_name(PROGRAM)
    shutil.copytree(
        program,
        root.path / HOME / PROGRAM,
        ignore=shutil.ignore_patterns("__pycache__"),
        dirs_exist_ok=True,
    )
    for repository in root.repositories:
        file = sources / f"{repository.name}.sources"
        file.touch(mode=0o600)  # an address may hold a password
        file.write_text(_source(root, repository))


def _source(root: SolverRoot, repository: Repository) -> str:
    """Return a repository as apt's sources.list(5) describes it."""
    fields = {
        "Types": "deb",
        "URIs": _apt_address(root.mirrors.urls[repository.name]),
        "Suites": " ".join(repository.suites),
        "Components": " ".join(repository.components),
        "Signed-By": _key(root, repository),
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _apt_address(url: str) -> str:
    """Return a mirror's address for apt; from a folder it takes copies, for it would only link."""
    parts = urlsplit(url)
    return f"copy:{parts.path}" if parts.scheme == "file" else url


def _key(root: SolverRoot, repository: Repository) -> str:
    """Return where the repository's key is in the root; one of the catalogue is copied there."""
    if (root.path / repository.keyring.lstrip("/")).is_file():
        return repository.keyring
    given = Path(repository.keyring)
    if not given.is_file():
        raise CatalogError.one(
            f"the key of the repository {repository.name} is missing: {given}",
            remedy="name a keyring of the distribution, or a file of the catalogue",
        )
    copied = Path("etc/apt/keyrings") / f"{repository.name}{given.suffix}"
    (root.path / copied).parent.mkdir(exist_ok=True)
    shutil.copyfile(given, root.path / copied)
    (root.path / copied).chmod(0o644)  # apt reads it as a user of its own
    return f"/{copied}"


def _host_settings() -> list[str]:
    dump = system.output_of(["apt-config", "dump", "Acquire"])
    return [match[0] for match in _HOST_SETTINGS.finditer(dump)]


def _root_error(messages: str) -> LaminaError:
    if re.search(r"^(Err:|E: (Failed to fetch|The repository|GPG error))", messages, re.MULTILINE):
        return NetworkError(*_apt_faults(messages))
    last = messages.strip().splitlines()[-10:]
    return BuildError.one("mmdebstrap cannot make the solver's root:\n" + "\n".join(last))


def _apt_faults(messages: str) -> list[Fault]:
    """Return apt's complaints, each once, in the order in which it made them."""
    lines = [without_credentials(line) for line in messages.splitlines()]
    complaints = [line[3:] for line in lines if line.startswith(("E: ", "W: "))]
    return [
        Fault("apt-get update", complaint, _remedy(complaint))
        for complaint in dict.fromkeys(complaints or lines[-5:])
    ]


def _remedy(complaint: str) -> str:
    if re.search(r"expired|not valid yet|invalid for another", complaint):
        return "the mirror is out of date, or this machine's clock is wrong: use another mirror"
    if re.search(r"NO_PUBKEY|GPG|not signed|signature|Signed-By|verif", complaint):
        return "check the repository's keyring in the catalogue, and which mirror is set for it"
    if re.search(r"404|does not have a Release file", complaint):
        return "check [mirrors] in lamina.toml, and the repository's suites in the catalogue"
    return "check the network and [mirrors] in lamina.toml"
