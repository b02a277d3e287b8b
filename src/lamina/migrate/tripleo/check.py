"""A migrated tree's files of TripleO, proved by rendering them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.errors import Fault
from lamina.migrate.names import Names
from lamina.migrate.tripleo.asked import asked
from lamina.migrate.tripleo.choice import compare_choices
from lamina.migrate.tripleo.listed import LIST, compare_list, defaults_of, template_of
from lamina.migrate.tripleo.prepare import is_environment
from lamina.migrate.tripleo.proof import Proof, prove
from lamina.migrate.tripleo.template import is_template


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was proved, by path, and what is wrong."""

    templates: Mapping[str, Proof]
    lists: tuple[str, ...]  # that were compared with what their templates render
    references: tuple[str, ...]  # that environments ask templates for now, and did not before
    faults: tuple[Fault, ...]

    @property
    def values(self) -> int:
        """Return how many references of templates moved."""
        return sum(len(proof.moved) for proof in self.templates.values())

    @property
    def renderings(self) -> int:
        """Return how many renderings of templates were compared."""
        return sum(proof.renderings for proof in self.templates.values())


def check_tripleo(before: Mapping[str, str], after: Mapping[str, str], names: Names) -> Checked:
    """Compare a tree's files, texts by path, before and after a migration to `names`.

    `before` needs to have only the files that changed.
    """
    templates = {
        path: prove(path, before.get(path, text), text, names)
        for path, text in sorted(after.items())
        if is_template(path, text)
    }
    faults = [fault for proof in templates.values() for fault in proof.faults]
    for path, text in sorted(after.items()):
        if is_environment(path, text):
            faults.extend(compare_choices(path, before.get(path, text), text, names))
    references: set[str] = set()
    for path in templates:
        new, wrong = asked(path, before.get(path, after[path]), after[path], after)
        references |= new
        faults.extend(wrong)
    lists = []
    for path, text in sorted(after.items()):
        template = after.get(template_of(path))
        if template is None or LIST not in text or not is_template(template_of(path), template):
            continue
        defaults = defaults_of(path, after)
        if defaults is None:
            message = f"cannot be compared with {template_of(path)}: no defaults are beside it"
            remedy = "put the environment with the defaults into the same folder"
            faults.append(Fault(path, message, remedy))
            continue
        lists.append(path)
        faults.extend(compare_list(path, text, template, defaults))
    return Checked(
        templates=templates,
        lists=tuple(lists),
        references=tuple(sorted(references)),
        faults=tuple(faults),
    )
