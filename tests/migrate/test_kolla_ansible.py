"""The real kolla-ansible of November 2019, where `LAMINA_KOLLA_ANSIBLE` names a checkout of it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from tests.migrate.trees import bytes_of

from lamina.catalog import default_folder, load_catalog
from lamina.migrate.check import check
from lamina.migrate.migration import make_migration
from lamina.migrate.names import Names
from lamina.migrate.tree import read_tree
from lamina.migrate.writing import revert, write_changes
from lamina.model.names import Scheme

CHECKOUT = os.environ.get("LAMINA_KOLLA_ANSIBLE")
# Of 191 variables 51 were for infra. `collectd` makes 52: it was below openstack-base then, and
# has been below the plain base since.
OF_2019 = 51
SINCE = {"collectd"}
ALL = 191


@pytest.mark.skipif(not CHECKOUT, reason="LAMINA_KOLLA_ANSIBLE names no checkout")
def test_the_infra_variables_of_2019_are_moved_proved_and_given_back(tmp_path: Path) -> None:
    root = tmp_path / "kolla-ansible"
    shutil.copytree(Path(CHECKOUT or ""), root, symlinks=True)
    before = bytes_of(root)
    names = Names.of(load_catalog((default_folder(),), "debian-13"), Scheme.SPLIT)

    tree = read_tree(root)
    migration = make_migration(tree, names)
    edits = [
        edit
        for change in migration.changes
        for edit in change.edits
        if re.fullmatch(r"ansible/roles/[^/]+/defaults/main\.yml", edit.path)
    ]
    kept = [one for one in migration.kept if one.path.endswith("/defaults/main.yml")]
    assert migration.undecided == ()
    assert {edit.kind for edit in edits} == {"infra"}
    assert len([edit for edit in edits if edit.image not in SINCE]) == OF_2019
    assert len(edits) == OF_2019 + len(SINCE)
    assert len(kept) == ALL - len(edits)

    old = {file.path: file.text for file in tree.files}
    proved = check(old, old | {one.path: one.new for one in migration.changes}, names, {})
    assert proved.faults == ()
    assert len(proved.references) == OF_2019 - 1 + len(SINCE)  # two variables share an image

    write_changes(root, migration.changes, names.scheme)
    assert make_migration(read_tree(root), names).changes == ()
    assert bytes_of(root).keys() == before.keys()
    revert(root)
    assert bytes_of(root) == before
