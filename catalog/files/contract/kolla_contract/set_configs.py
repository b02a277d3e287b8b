"""The order of things: config.json read, everything checked, then all of it written."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from kolla_contract import making, originals, permissions, writing
from kolla_contract.config import Config, parse
from kolla_contract.faults import ContractError, Fault
from kolla_contract.paths import blaming
from kolla_contract.permissions import Grant
from kolla_contract.plan import Found, Ids, Plan, Properties, make_plan, owners
from kolla_contract.sources import find, ids_of, read_config

COMMAND = "/run_command"
MARKER = "/configured"
STRATEGY = "KOLLA_CONFIG_STRATEGY"

_FOR_ALL = Properties(uid=0, gid=0, mode=0o644)


class Strategy(StrEnum):
    """How often the files are copied."""

    ALWAYS = "COPY_ALWAYS"
    ONCE = "COPY_ONCE"


def main(arguments: Sequence[str]) -> int:
    """Put the configuration in place, or with `--check` compare it; return the exit status.

    0: done, or nothing differs. 1: it could not be done, or something differs. 2: wrong usage, or
    it could not be compared.
    """
    os.umask(0o022)
    if arguments not in ([], ["--check"]):
        _say(Fault("usage", "kolla_set_configs [--check]"))
        return 2
    check = bool(arguments)
    try:
        return _check() if check else _set()
    except ContractError as error:
        _say(*error.faults)
    except OSError as error:
        _say(Fault(str(error.filename or ""), error.strerror or str(error)))
    except RecursionError:
        _say(Fault("", "there are too many directories below each other"))
    return 2 if check else 1


def _set() -> int:
    strategy = _strategy()
    if strategy is Strategy.ONCE and os.path.lexists(MARKER):
        _say(Fault(MARKER, "this container has its configuration, and keeps it"))
        return 0
    config = parse(read_config())
    _say(*config.notes)
    ids = _ids(config)
    plan = _plan(config, ids)
    ContractError.raise_all([*writing.obstacles(plan), *making.hindrances(plan)])
    _write(plan)
    making.make(plan)
    for permission in config.permissions:
        owner = permission.owner
        grant = Grant(permission=permission, ids=ids[owner] if owner else None)
        _say(*permissions.apply(grant))
    writing.write_file(COMMAND, io.BytesIO(f"{config.command}\n".encode()), _FOR_ALL)
    if strategy is Strategy.ONCE:
        writing.write_file(MARKER, io.BytesIO(), _FOR_ALL)
    return 0


def _check() -> int:
    config = parse(read_config())
    found = [*writing.differences(_plan(config, _ids(config)))]
    _say(*found)
    return 1 if found else 0


def _write(plan: Plan) -> None:
    index = originals.keep(plan, originals.read_index())
    for target in plan.targets:
        with blaming(target.path):
            writing.write(target)
    for path in [*writing.strangers(plan)]:
        writing.remove(path)
    originals.restore(originals.unwanted(plan, index), index)


def _strategy() -> Strategy:
    value = os.environ.get(STRATEGY, "")
    try:
        return Strategy(value)
    except ValueError:
        message = f"is {value!r}, and must be one of: {', '.join(Strategy)}"
        raise ContractError(Fault(STRATEGY, message)) from None


def _ids(config: Config) -> Ids:
    return {owner: ids_of(owner) for owner in sorted(owners(config), key=str)}


def _plan(config: Config, ids: Ids) -> Plan:
    """Return the plan; raise `ContractError` with the faults of all sources, and of the plan."""
    found: dict[str, tuple[Found, ...]] = {}
    faults: list[Fault] = []
    for entry in config.files:
        try:
            found[entry.source] = find(entry.place, entry.source)
        except ContractError as error:
            faults += error.faults
    readable = tuple(entry for entry in config.files if entry.source in found)
    try:
        plan = make_plan(replace(config, files=readable), found, ids)
    except ContractError as error:
        raise ContractError(*faults, *error.faults) from None
    ContractError.raise_all(faults)
    return plan


def _say(*faults: Fault) -> None:
    for fault in faults:
        print(f"kolla_set_configs: {fault}", file=sys.stderr)
