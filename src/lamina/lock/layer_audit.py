"""Everything that can be wrong with the layers of a lock file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from lamina.lock.entry import FileEntry, ImageEntry
from lamina.lock.position import Finding
from lamina.model.lock import MOST_LAYERS, artifact_name, dpkg_name
from lamina.model.spelling import did_you_mean


def layer_findings(file: FileEntry) -> Iterator[Finding]:
    """Yield every fault of the layers; what is wrong with units or parents is not told again."""
    if not 2 <= file.layer_budget <= MOST_LAYERS:
        message = f"the layer budget {file.layer_budget} is not from 2 to {MOST_LAYERS}"
        yield Finding(keys=("layer_budget",), message=message)
    yield from _in_groups(file)
    layers = {entry.id: tuple(entry.packages) for entry in file.layers}
    names = {
        unit.key: dpkg_name(unit.name, unit.architecture, native=file.architecture)
        for unit in file.units
    }
    names |= {artifact.key: artifact_name(artifact.name) for artifact in file.artifacts}
    totals: dict[str | None, int] = {None: 0}
    for number, image in enumerate(file.images):
        yield from _in_order(number, image, layers)
        yield from _in_image(number, image, layers, names)
        total = totals[image.id] = totals.get(image.parent, 0) + len(image.layers) + 1
        if total > file.layer_budget:
            message = f"{image.id} has {total} layers, and the layer budget is {file.layer_budget}"
            yield Finding(keys=("images", number, "layers"), message=message)


def _in_groups(file: FileEntry) -> Iterator[Finding]:
    used = set(chain.from_iterable(image.layers for image in file.images))
    for number, entry in enumerate(file.layers):
        if not entry.packages:
            message = f"the layer '{entry.id}' holds no package"
            yield Finding(keys=("layers", number), message=message)
        if entry.packages != sorted(set(entry.packages)):
            message = f"the packages of the layer '{entry.id}' are not sorted, each once"
            yield Finding(keys=("layers", number), message=message)
        if entry.id not in used:
            message = f"no image has the layer '{entry.id}'"
            yield Finding(keys=("layers", number), message=message)


def _in_order(
    number: int, image: ImageEntry, layers: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    places = {id_: place for place, id_ in enumerate(layers)}
    highest = -1
    for position, layer in enumerate(image.layers):
        keys = ("images", number, "layers", position)
        if layer not in places:
            message = f"{image.id} has the layer '{layer}', which the lock does not describe"
            yield Finding(keys=keys, message=message, remedy=did_you_mean(layer, places))
        elif places[layer] <= highest:
            message = f"{image.id} does not have '{layer}' in the order of all layers"
            yield Finding(keys=keys, message=message)
        highest = max(highest, places.get(layer, -1))


def _in_image(
    number: int,
    image: ImageEntry,
    layers: Mapping[str, tuple[str, ...]],
    names: Mapping[str, str],
) -> Iterator[Finding]:
    """Yield a fault for each package that does not lie in exactly one layer of the image."""
    own: set[str] = set()
    for unit in dict.fromkeys(image.units):
        name = names.get(unit, "")
        if name in own:
            message = f"{image.id} has two units of the package '{name}'"
            yield Finding(keys=("images", number), message=message)
        if name:
            own.add(name)
    found: set[str] = set()
    for position, layer in enumerate(image.layers):
        keys = ("images", number, "layers", position)
        for name in layers.get(layer, ()):
            if name in found:
                message = f"'{name}' lies in two layers of {image.id}"
                yield Finding(keys=keys, message=message)
            elif name not in own:
                message = f"the layer '{layer}' holds '{name}', which {image.id} does not install"
                yield Finding(keys=keys, message=message)
            found.add(name)
    for name in sorted(own - found):
        message = f"no layer of {image.id} holds '{name}'"
        yield Finding(keys=("images", number, "layers"), message=message)
