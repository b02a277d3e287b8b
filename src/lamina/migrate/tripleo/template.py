"""`overcloud_containers.yaml.j2`: the template of all images, repointed entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from jinja2 import TemplateSyntaxError, nodes

from lamina.errors import Fault
from lamina.migrate.edit import Edit, Found, Kept, line_of
from lamina.migrate.jinja import NotATemplateError, Part, Piece, pieces_of
from lamina.migrate.names import Names, Renamed
from lamina.migrate.tripleo.beside import read_beside, scalars
from lamina.migrate.tripleo.loops import loop_values, opened
from lamina.migrate.tripleo.names import infra_image, rename_full, speaks_of_infra
from lamina.migrate.tripleo.pieces import blanked, environment
from lamina.migrate.tripleo.prefix import ALL, OURS, SUFFIX, definition
from lamina.migrate.tripleo.reference import Word, name_words
from lamina.migrate.tripleo.yaml_nodes import BOM, behind_bom, inside, readable
from lamina.model.image import Kind, Type

ENTRIES = "container_images_template"
"""The key that the template has its entries below."""
REFERENCE = "imagename"
"""The key that an entry has its reference at."""
_SUFFIXES = (".j2", ".jinja", ".jinja2", ".tpl", ".yaml", ".yml")
_OTHERS = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_BY_HAND = f"write '{OURS}' in place of '{ALL}' where the image is an infra image"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    path: str
    text: str
    pieces: tuple[Piece, ...]
    blank: str  # the text without all that is Jinja's
    tree: nodes.Template
    names: Names

    def edit(self, start: int, end: int, new: str, renamed: Renamed) -> Edit:
        return Edit(
            path=self.path,
            start=start,
            end=end,
            old=self.text[start:end],
            new=new,
            image=renamed.image.id.name,
            kind=renamed.image.kind,
            reason=renamed.reason,
        )

    def kept(self, word: Word, reason: str) -> Found:
        line = line_of(self.text, word.start)
        return Found(kept=(Kept(path=self.path, line=line, name=word.text, reason=reason),))

    def undecided(self, place: int, message: str, remedy: str) -> Found:
        fault = Fault(f"{self.path}:{line_of(self.text, place)}", message, remedy)
        return Found(undecided=(fault,))

    def stored(self, variable: str) -> nodes.Name | None:
        """Return where the template itself gives the variable a value."""
        names = self.tree.find_all(nodes.Name)
        return next((it for it in names if it.name == variable and it.ctx != "load"), None)


def is_template(path: str, text: str) -> bool:
    """Tell whether a file is such a template, by what is in it."""
    return path.lower().endswith(_SUFFIXES) and ENTRIES in text and REFERENCE in text


def read_template(path: str, text: str, names: Names) -> Found:
    """Return what must change in the template so that it names images as `names` has them.

    Entries of infra images get `infra_prefix` in place of `name_prefix`, and one statement above
    them all says what that is by default.
    """
    if text.startswith(BOM):
        return behind_bom(read_template(path, text.removeprefix(BOM), names))
    try:
        pieces = pieces_of(text)
        tree = environment().parse(text)
        blank = readable(blanked(text, pieces))
        root = yaml.compose(blank, Loader=yaml.CSafeLoader)
    except (NotATemplateError, TemplateSyntaxError, RecursionError) as error:
        return Found(undecided=(Fault(path, f"not Jinja: {error}", _BY_HAND),))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        return Found(undecided=(Fault(place, "not YAML around Jinja", _BY_HAND),))
    template = _Template(path=path, text=text, pieces=pieces, blank=blank, tree=tree, names=names)
    entries = list(references(root))
    values = [node for node in scalars(root) if node not in entries]
    found = Found.together(
        [
            *(_entry(template, node) for node in entries),
            *_elsewhere(template),
            read_beside(path, text, names, pieces=pieces, values=values),
        ]
    )
    if not any(OURS in edit.new for edit in found.edits) or template.stored(OURS):
        return found
    if set_here := template.stored(ALL):
        fault = Fault(
            f"{path}:{set_here.lineno}",
            f"'{ALL}' is set in the template itself",
            f"write `{definition(names.scheme)}` below it, and run this again",
        )
        return Found(kept=found.kept, undecided=(*found.undecided, fault))
    return Found.together([found, _defined(template, root)])


def references(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """Yield every entry's reference, in the file's order."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from references(item)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == REFERENCE and isinstance(value, yaml.ScalarNode):
                yield value
            else:
                yield from references(value)


def _entry(template: _Template, node: yaml.ScalarNode) -> Found:
    span = inside(template.blank, node)
    words = name_words(template.text, template.blank, template.pieces, span)
    found = _named_by(template, span, words)
    if found.edits and "@" in template.blank[words[-1].end : span.stop]:
        message = f"'{template.text[span]}' is pinned by a digest"
        remedy = "write the new name with the digest that was published for it"
        return template.undecided(span.start, message, remedy)
    return found


def _named_by(template: _Template, span: slice, words: tuple[Word, ...]) -> Found:
    match words:
        case [Word(part=Part.TEXT) as full, *rest] if _fixed(rest) and full.text[-1:] != "-":
            return _full(template, full)
        case [prefix, name, *rest] if prefix.variable in (ALL, OURS) and _fixed(rest):
            if name.part is Part.TEXT:
                return _named(template, prefix, name)
            if name.node and prefix.variable == ALL:
                return _looped(template, prefix, name)
    return _unclear(template, span, words)


def _fixed(rest: list[Word]) -> bool:
    """Tell whether all that follows a name is the suffix that every image has."""
    return all(word.variable == SUFFIX for word in rest)


def _full(template: _Template, name: Word) -> Found:
    """Repoint a name that stands there in full: `centos-binary-cron`."""
    renamed = rename_full(name.text, template.names)
    if not renamed:
        return Found()
    return Found(edits=(template.edit(name.start, name.end, renamed.new, renamed),))


def _named(template: _Template, prefix: Word, name: Word) -> Found:
    """Repoint a name behind a variable for the prefix."""
    told = template.names.rename(name.text, distro="", type_=Type.BINARY)
    infra = infra_image(name.text, template.names)
    if prefix.variable == OURS and not infra:
        message = f"'{name.text}' is no infra image, but has '{OURS}' before its name"
        return template.undecided(name.start, message, f"write '{ALL}' in its place")
    if isinstance(told, str):
        return template.kept(name, told)
    new = told.image.id.name
    if prefix.variable == OURS and new == name.text:
        return template.kept(name, "has this name already")
    ahead = template.text[prefix.start : name.start]
    if infra:
        ahead = ahead.replace(ALL, OURS)
    return Found(edits=(template.edit(prefix.start, name.end, f"{ahead}{new}", told),))


def _looped(template: _Template, prefix: Word, name: Word) -> Found:
    """Repoint a name that a loop gives, if every turn of the loop has an infra image."""
    around = opened(template.text, template.pieces, name.start)
    values = loop_values(around).get(name.variable)
    if values is None:
        message = f"which image '{name.text}' is, only a rendering tells"
        remedy = "write an entry for each image, or a loop over a list that stands in the template"
        return template.undecided(name.start, message, remedy)
    images = [infra_image(value, template.names) for value in values]
    new = [image.id.name for image in images if image]
    if not new:
        return template.kept(name, "a loop without an infra image")
    told = template.names.rename(values[0], distro="", type_=Type.BINARY)
    if new == list(values) and isinstance(told, Renamed):
        ours = prefix.text.replace(ALL, OURS)
        return Found(edits=(template.edit(prefix.start, prefix.end, ours, told),))
    message = f"a loop over '{name.variable}' has images that change in different ways"
    if len(new) == len(values):
        message = f"a loop over '{name.variable}' has images that get new names"
    remedy = f"give the infra images a loop of their own behind '{OURS}': {', '.join(new)}"
    return template.undecided(name.start, message, remedy)


def _unclear(template: _Template, span: slice, words: tuple[Word, ...]) -> Found:
    """Say of a reference that is written in no known form whether it must be looked at."""
    prefixed = any(word.variables & {ALL} for word in words)
    spoken = any(speaks_of_infra(text, template.names) for word in words for text in word.texts)
    if not prefixed and not spoken:
        return Found()
    message = f"which image is meant cannot be told: {template.text[span]}"
    remedy = f"write the name as text between '{ALL}' or '{OURS}' and '{SUFFIX}', an entry for each"
    return template.undecided(span.start, message, remedy)


def _defined(template: _Template, root: yaml.Node | None) -> Found:
    """Return the statement that says what `infra_prefix` is, above the key of the entries."""
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    keys = (key for key, value in pairs if any(True for _ in references(value)))
    place = next((key.start_mark.index for key in keys), 0)
    if opened(template.text, template.pieces, place):
        place = 0  # what is set in a loop or a block is not known outside of it
    newline = next((end for end in ("\r\n", "\n", "\r") if end in template.text), "\n")
    statement = Edit(
        path=template.path,
        start=place,
        end=place,
        old="",
        new=definition(template.names.scheme) + newline,
        image=OURS,
        kind=Kind.INFRA,
        reason="what stands before the names of infra images, unless a user sets it",
    )
    return Found(edits=(statement,))


def _elsewhere(template: _Template) -> Iterator[Found]:
    for node in template.tree.find_all(_OTHERS):
        fault = Fault(
            f"{template.path}:{node.lineno}",
            "what this reads from another template is not looked at",
            "write the entries here",
        )
        yield Found(undecided=(fault,))
