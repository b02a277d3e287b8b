"""Overrides of kolla's templates, which are keyed by image: `nova_libvirt_packages_append`."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes

from lamina.errors import Fault
from lamina.migrate.edit import Found
from lamina.migrate.names import Names
from lamina.migrate.tripleo.pieces import environment

_EXTENDS = "extends parent_template"


def is_overrides(path: str, text: str) -> bool:
    """Tell whether a file may hold overrides."""
    return path.endswith(".j2") and _EXTENDS in text


def read_overrides(path: str, text: str, names: Names) -> Found:
    """Return the overrides whose image has another name now, so that nothing would find them."""
    try:
        tree = environment().parse(text)
    except (TemplateSyntaxError, RecursionError):
        return Found()
    faults = []
    for key, line in _keys(tree):
        called = _image(key, names)
        image = names.images.get(called)
        if image and image.id.name != called:
            message = f"'{key}' is for '{called}', which is called '{image.id.name}' now"
            remedy = f"give it to '{image.id.name}' in a catalogue of your own, and delete it here"
            faults.append(Fault(f"{path}:{line}", message, remedy))
    return Found(undecided=tuple(faults))


def _keys(tree: nodes.Template) -> Iterator[tuple[str, int]]:
    for block in tree.find_all(nodes.Block):
        yield block.name, block.lineno
    for assigned in tree.find_all(nodes.Assign):
        if isinstance(assigned.target, nodes.Name):
            yield assigned.target.name, assigned.lineno


def _image(key: str, names: Names) -> str:
    """Return the name of the image that a key is for: the longest that it begins with."""
    found = (name for name in names.images if key.startswith(f"{name.replace('-', '_')}_"))
    return max(found, key=len, default="")
