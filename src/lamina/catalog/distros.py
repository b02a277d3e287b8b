"""The distributions of a catalogue, and the words by which entries tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn, Protocol, TypeVar, get_args

from pydantic import TypeAdapter

from lamina.catalog.checked import checked
from lamina.catalog.document import Document
from lamina.catalog.folder import DISTROS, Folder, read_source
from lamina.catalog.forms import DistroForm, RepositoryForm
from lamina.errors import CatalogError, Fault, UsageError
from lamina.model.architecture import same_machine
from lamina.model.catalog import Backend, Distro, Repository
from lamina.model.names import DISTRO_WORDS
from lamina.model.spelling import did_you_mean

T = TypeVar("T")

# An entry may say what it needs on a distribution that has no file yet: adding the distribution
# is then adding its file.
_BACKEND_WORDS: tuple[Backend, ...] = get_args(Backend)
_ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


class Addressee(Protocol):
    """Whom entries have something for: a distribution, or no more than a word for one."""

    @property
    def name(self) -> str:
        """What it is called: `debian-13`."""

    @property
    def fallback(self) -> tuple[str, ...]:
        """The words that entries know it by, most special first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distros:
    """All distributions of the catalogue folders, and what is wrong with their files."""

    by_name: Mapping[str, tuple[DistroForm, Document]]
    faults: tuple[Fault, ...]

    @property
    def words(self) -> frozenset[str]:
        """The words that entries may know a distribution by, versions of known ones aside."""
        words = (word for form, _ in self.by_name.values() for word in form.fallback)
        return frozenset((*_BACKEND_WORDS, *DISTRO_WORDS, *words))

    @property
    def shorts(self) -> frozenset[str]:
        """The words of the distributions in image names."""
        return frozenset(form.short for form, _ in self.by_name.values())


def read_distros(folders: Sequence[Folder]) -> Distros:
    """Return the distributions of all `folders`."""
    by_name: dict[str, tuple[DistroForm, Document]] = {}
    faults: list[Fault] = []
    for folder in folders:
        for document, found in folder.documents(DISTROS):
            faults.extend(found)
            if document is None:
                continue
            result = checked(_adapter(), document)
            faults.extend(result.faults)
            if result.form is None:
                continue
            faults.extend(_faults_of(result.form, document, by_name))
            faults.extend(_repository_faults(result.form, document))
            faults.extend(_keyring_faults(result.form, document, folders))
            by_name.setdefault(result.form.name, (result.form, document))
    return Distros(by_name=by_name, faults=tuple(faults))


def choose_distro(
    distros: Distros, folders: Sequence[Folder], name: str, architecture: str | None
) -> Distro:
    """Return the distribution `name` for `architecture`, or for its usual one; without rules.

    An architecture is known by any distribution's word for it. Raises `UsageError` for a name or
    an architecture that there is not.
    """
    if name not in distros.by_name:
        _refuse(f"no distribution '{name}'", name, distros.by_name)
    form, document = distros.by_name[name]
    wanted = architecture or form.architectures[0]
    chosen = next((own for own in form.architectures if same_machine(own, wanted)), None)
    if chosen is None:
        _refuse(f"{name} has no architecture '{wanted}'", wanted, form.architectures)
    return Distro(
        name=form.name,
        short=form.short,
        release=form.release,
        fallback=form.fallback,
        backend=form.backend,
        architecture=chosen,
        repositories=tuple(
            Repository(
                name=key,
                suites=repository.suites,
                components=repository.components,
                keyring=_keyring(key, repository, document, folders),
                default=repository.default,
                security=repository.security,
            )
            for key, repository in sorted(form.repositories.items())
        ),
        rules=(),
    )


def pick(by_word: Mapping[str, T], distro: Addressee) -> T | None:
    """Return the value for `distro`: that of its most special word."""
    return next((by_word[word] for word in distro.fallback if word in by_word), None)


def is_known(word: str, words: Iterable[str]) -> bool:
    """Tell whether `word` is one of `words`, or a release of one: `centos-9`."""
    family, _, release = word.rpartition("-")
    return word in words or (family in words and release[:1].isdigit())


@cache
def _adapter() -> TypeAdapter[DistroForm]:
    return TypeAdapter(DistroForm)


def _faults_of(
    form: DistroForm, document: Document, others: Mapping[str, tuple[DistroForm, Document]]
) -> Iterator[Fault]:
    stem = document.name.rpartition("/")[2].removesuffix(".yaml")
    if form.name in others:
        yield Fault(
            document.place("name"),
            f"the distribution '{form.name}' is defined twice",
            f"it stands at {others[form.name][1].place('name')}; give this one another name",
        )
    elif form.name != stem:
        message = f"the distribution '{form.name}' stands in a file of another name"
        yield Fault(document.place("name"), message, f"call the file '{form.name}.yaml'")
    if form.fallback[0] != form.name:
        message = f"'fallback' does not begin with '{form.name}'"
        yield Fault(document.place("fallback"), message, "put the most special word first")


def _repository_faults(form: DistroForm, document: Document) -> Iterator[Fault]:
    """Yield what a repository lacks, or has, that those of its distribution's packages do not."""
    for name, repository in form.repositories.items():
        for key in ("suites", "components"):
            if form.backend == "deb" and not getattr(repository, key):
                message = f"the repository '{name}' has no {key}"
                yield Fault(document.place("repositories", name), message, f"add '{key}: [...]'")
            if form.backend == "rpm" and getattr(repository, key):
                message = f"the repository '{name}' of rpm packages has {key}"
                remedy = "delete the key: its address is the whole of such a repository"
                yield Fault(document.place("repositories", name, key), message, remedy)


def _keyring_faults(
    form: DistroForm, document: Document, folders: Sequence[Folder]
) -> Iterator[Fault]:
    for name, repository in form.repositories.items():
        try:
            _keyring(name, repository, document, folders)
        except CatalogError as error:
            yield from error.faults


def _keyring(
    name: str, repository: RepositoryForm, document: Document, folders: Sequence[Folder]
) -> str:
    """Return the repository's key: a path in the distribution's root, or the armoured key."""
    if repository.keyring.startswith("/"):
        return repository.keyring
    place = document.place("repositories", name, "keyring")
    source = read_source(folders, repository.keyring, place)
    # Keys in the old binary form are no text; an armoured one is ASCII.
    text = source.content.decode("ascii", errors="replace")
    if not text.startswith(_ARMOUR):
        raise CatalogError(
            Fault(
                place, f"'{repository.keyring}' is not an armoured key", f"'{_ARMOUR}' begins one"
            )
        )
    return text


def _refuse(message: str, name: str, known: Iterable[str]) -> NoReturn:
    names = sorted(known)
    remedy = f"there are: {', '.join(names)}" if names else "there is none in the catalogue"
    raise UsageError.one(message, remedy=did_you_mean(name, names, otherwise=remedy))
