"""The files that images copy in, found and digested."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.catalog.folder import Folder, read_source
from lamina.catalog.images import Copies
from lamina.catalog.specs import Specs
from lamina.errors import CatalogError, Fault
from lamina.model.digest import Digest
from lamina.model.image import FileCopy


def copy_files(specs: Specs, folders: Sequence[Folder]) -> tuple[Copies, tuple[Fault, ...]]:
    """Return the files of each spec by its name, from the last of `folders` that has them.

    The second part are the faults: files that are not there, or lie elsewhere.
    """
    copies: dict[str, tuple[FileCopy, ...]] = {}
    faults: list[Fault] = []
    for spec in specs.by_name.values():
        found = []
        for form in spec.form.files:
            place = spec.entry.place("files", form.source)
            try:
                source = read_source(folders, form.source, place)
            except CatalogError as error:
                faults.extend(error.faults)
                continue
            found.append(
                FileCopy(
                    path=form.path,
                    source=str(source.path),
                    digest=Digest.of(source.content),
                    mode=int(form.mode, 8),
                    owner=form.owner,
                    group=form.group,
                )
            )
        copies[spec.name] = tuple(found)
    return copies, tuple(faults)
