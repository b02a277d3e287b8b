"""The users and groups of a catalogue, with the ids that are theirs for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter

from lamina.catalog.checked import checked
from lamina.catalog.document import Document
from lamina.catalog.folder import ACCOUNTS, Folder
from lamina.catalog.forms import AccountsForm, UserForm
from lamina.errors import Fault
from lamina.model.image import Group, User
from lamina.model.spelling import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Every user and group that an image may have, and what is wrong with their files."""

    users: Mapping[str, User]
    groups: Mapping[str, Group]  # users' own groups included
    complete: bool  # false when a fault may have hidden some
    faults: tuple[Fault, ...]


def read_accounts(folders: Sequence[Folder]) -> Accounts:
    """Return the users and groups of all `folders`."""
    book = _Book()
    complete = True
    for folder in folders:
        for document, found in folder.documents(ACCOUNTS):
            book.faults.extend(found)
            complete = complete and not found
            if document is None:
                continue
            result = checked(_adapter(), document)
            book.faults.extend(result.faults)
            complete = complete and not result.faults
            if result.form:
                book.enter(result.form, document)
    if complete:
        book.faults.extend(book.unknown_groups())
    return Accounts(
        users={name: user for name, (user, _) in book.users.items()},
        groups={name: group for name, (group, _) in book.groups.items()},
        complete=complete,
        faults=tuple(book.faults),
    )


@cache
def _adapter() -> TypeAdapter[AccountsForm]:
    return TypeAdapter(AccountsForm)


@dataclass(slots=True, kw_only=True)
class _Book:
    """Accounts as they are entered, each with its place; ids already given are faults."""

    users: dict[str, tuple[User, str]] = field(default_factory=dict)
    groups: dict[str, tuple[Group, str]] = field(default_factory=dict)
    uids: dict[int, str] = field(default_factory=dict)
    gids: dict[int, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def enter(self, form: AccountsForm, document: Document) -> None:
        for name, user in form.users.items():
            self._enter_user(_user(name, user), document.place("users", name))
        for name, gid in form.groups.items():
            self._enter_group(Group(name=name, gid=gid), document.place("groups", name))

    def unknown_groups(self) -> Iterator[Fault]:
        for user, place in self.users.values():
            for name in user.groups:
                if name not in self.groups:
                    remedy = did_you_mean(name, self.groups, otherwise="give it an id in 'groups'")
                    message = f"the user '{user.name}' is in an unknown group '{name}'"
                    yield Fault(place, message, remedy)

    def _enter_user(self, user: User, place: str) -> None:
        if user.name in self.users:
            message = f"the user '{user.name}' is defined twice"
            remedy = f"it stands at {self.users[user.name][1]}; ids never change"
            self.faults.append(Fault(place, message, remedy))
            return
        other = self.uids.setdefault(user.uid, user.name)
        if other != user.name:
            message = f"the users '{other}' and '{user.name}' have one id, {user.uid}"
            self.faults.append(Fault(place, message, "give each user an id of its own"))
        self.users[user.name] = (user, place)
        self._enter_group(Group(name=user.group, gid=user.gid), place)

    def _enter_group(self, group: Group, place: str) -> None:
        known, _ = self.groups.setdefault(group.name, (group, place))
        if known.gid != group.gid:
            message = f"the group '{group.name}' has two ids, {known.gid} and {group.gid}"
            self.faults.append(Fault(place, message, "write the same id everywhere"))
            return
        other = self.gids.setdefault(group.gid, group.name)
        if other != group.name:
            message = f"the groups '{other}' and '{group.name}' have one id, {group.gid}"
            self.faults.append(Fault(place, message, "give each group an id of its own"))


def _user(name: str, form: UserForm) -> User:
    return User(
        name=name,
        uid=form.uid,
        gid=form.gid,
        group=form.group or name,
        home=form.home,
        shell=form.shell,
        groups=form.groups,
    )
