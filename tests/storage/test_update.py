from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from tests.storage.fleets import CONFIG, EMPTY, MANIFEST, a_size, a_unit, an_image, of_units

from lamina.layering import group_id
from lamina.model.built import Built
from lamina.model.image import ImageId
from lamina.model.lock import DpkgCall, Lock, LockedImage, UnitRef
from lamina.storage import Known, Size, Update, make_update

Groups = Sequence[Sequence[UnitRef]]

LIBC, SSL, CRON = a_unit("libc"), a_unit("ssl"), a_unit("cron")
NEWER = a_unit("ssl", "2", size=33)


def a_lock(images: Mapping[str, tuple[str, Groups]]) -> Lock:
    """A lock of these images: each with its parent's name, and its groups of units."""
    layers: dict[str, tuple[str, ...]] = {}
    units: dict[str, UnitRef] = {}
    locked = []
    for name, (parent, groups) in images.items():
        ids = []
        for group in groups:
            names = tuple(sorted(unit.name for unit in group))
            layers[group_id(names)] = names
            ids.append(group_id(names))
            units |= {unit.key: unit for unit in group}
        keys = tuple(unit.key for group in groups for unit in group)
        locked.append(
            LockedImage(
                id=ImageId(name),
                parent=ImageId(parent) if parent else None,
                request=EMPTY,
                calls=(DpkgCall(action="unpack", units=keys),),
                layers=tuple(ids),
            )
        )
    return Lock(
        distro="debian-13",
        architecture="amd64",
        catalog=EMPTY,
        indices=(),
        units=units,
        layers=layers,
        images=tuple(locked),
    )


def known(*images: Built) -> Known:
    return Known.of({image.id: image for image in images}, {one.config: CONFIG for one in images})


def told(update: Update) -> list[tuple[str, str, Size, bool, str]]:
    """The layers, with the names of their groups' packages."""
    names = {group_id((name,)): name for name in ("libc", "ssl", "cron")}
    return [
        (
            names.get(layer.group, layer.group) or "delta",
            " ".join(map(str, layer.images)),
            layer.size,
            layer.estimated,
            "; ".join(layer.causes),
        )
        for layer in update.layers
    ]


BASE = an_image("base", [{"libc": 100}], 10)
WEB = an_image("web", [{"ssl": 30}], 4, parent=BASE)
MAIL = an_image("mail", [{"ssl": 30}, {"cron": 20}], 5, parent=BASE)
OLD = a_lock(
    {
        "base": ("", [[LIBC]]),
        "web": ("base", [[SSL]]),
        "mail": ("base", [[SSL], [CRON]]),
    }
)
UPDATED = a_lock(
    {
        "base": ("", [[LIBC]]),
        "web": ("base", [[NEWER]]),
        "mail": ("base", [[NEWER], [CRON]]),
    }
)


def test_between_equal_locks_there_is_nothing_to_send() -> None:
    update = make_update(OLD, OLD, known(BASE, WEB, MAIL))

    assert (update.images, update.layers, update.size) == ((), (), a_size(0))
    assert (update.documents, update.estimated) == (0, False)


def test_one_package_changes_its_layer_once_and_the_deltas_of_its_images() -> None:
    update = make_update(OLD, UPDATED, known(BASE, WEB, MAIL))

    package = Size(uncompressed=33, compressed=33)
    assert told(update) == [
        ("ssl", "mail web", package, True, "ssl 1 -> 2"),
        ("delta", "mail", a_size(5), True, "ssl 1 -> 2"),
        ("delta", "web", a_size(4), True, "ssl 1 -> 2"),
    ]
    assert update.images == (ImageId("web"), ImageId("mail"))
    assert update.size == Size(uncompressed=33 + 18, compressed=33 + 9)
    assert update.documents == 2 * (CONFIG + MANIFEST)
    assert update.estimated


def test_once_it_is_built_every_size_is_measured() -> None:
    web = an_image("web", [{"ssl": 31}], 4, parent=BASE, versions={"ssl": "2"})
    mail = an_image("mail", [{"ssl": 31}, {"cron": 20}], 5, parent=BASE, versions={"ssl": "2"})
    web, mail = (replace(one, units=_resized(one)) for one in (web, mail))

    update = make_update(OLD, UPDATED, known(BASE, web, mail))

    assert [one[:4] for one in told(update)] == [
        ("ssl", "mail web", a_size(31), False),
        ("delta", "mail", a_size(5), False),
        ("delta", "web", a_size(4), False),
    ]
    assert not update.estimated


def _resized(image: Built) -> tuple[UnitRef, ...]:
    """The units of an image as the lock has them: `NEWER` has a size of its own."""
    return tuple(NEWER if unit.key == NEWER.key else unit for unit in image.units)


def test_a_unit_that_is_built_counts_with_its_part_in_a_layer_that_is_not() -> None:
    after = a_lock({**_images(OLD), "web": ("base", [[CRON, SSL]])})

    layer = make_update(OLD, after, known(BASE, WEB, MAIL)).layers[0]

    assert (layer.size, layer.estimated, layer.causes) == (of_units(50), True, ("cron 1 added",))


def _images(lock: Lock) -> dict[str, tuple[str, Groups]]:
    return {
        image.id.name: (
            image.parent.name if image.parent else "",
            [
                [unit for unit in lock.units_of(image) if unit.name in lock.layers[group]]
                for group in image.layers
            ],
        )
        for image in lock.images
    }


def test_what_lies_below_a_changed_image_is_built_again_with_its_delta() -> None:
    newer = a_unit("libc", "2", size=70)
    after = a_lock({**_images(OLD), "base": ("", [[newer]])})

    update = make_update(OLD, after, known(BASE, WEB, MAIL))

    assert [(one[0], one[1], one[4]) for one in told(update)] == [
        ("libc", "base", "libc 1 -> 2"),
        ("delta", "base", "libc 1 -> 2"),
        ("delta", "mail", "parent base changed"),
        ("delta", "web", "parent base changed"),
    ]


def test_a_new_image_brings_only_what_no_other_has() -> None:
    after = a_lock({**_images(OLD), "new": ("base", [[SSL]])})

    assert told(make_update(OLD, after, known(BASE, WEB, MAIL))) == [
        ("delta", "new", a_size(0), True, "image new added"),
    ]


def test_grouped_differently_images_get_new_layers_and_keep_their_deltas() -> None:
    after = a_lock({**_images(OLD), "mail": ("base", [[SSL, CRON]])})

    update = make_update(OLD, after, known(BASE, WEB, MAIL))

    assert update.images == (ImageId("mail"),)
    assert [(one[1], one[2], one[4]) for one in told(update)] == [
        ("mail", of_units(50), "grouped differently"),
    ]


def test_a_package_that_went_is_why_the_rest_of_its_group_is_another_layer() -> None:
    before = a_lock({**_images(OLD), "mail": ("base", [[SSL, CRON]])})
    after = a_lock({"base": ("", [[LIBC]]), "mail": ("base", [[CRON]])})

    assert told(make_update(before, after, known(BASE, MAIL)))[0] == (
        *("cron", "mail", a_size(20), False, "ssl 1 removed"),
    )


def test_the_same_version_in_another_file_is_another_layer() -> None:
    other = replace(SSL, digest=EMPTY)
    before = a_lock({"base": ("", [[LIBC]]), "web": ("base", [[SSL]])})
    after = a_lock({"base": ("", [[LIBC]]), "web": ("base", [[other]])})

    assert told(make_update(before, after, known(BASE, WEB)))[0][4] == "ssl 1, another file"


def test_a_package_that_dpkg_unpacks_itself_changes_the_delta_and_no_layer() -> None:
    web = an_image("web", [], 34, parent=BASE, in_delta=[SSL])
    before = a_lock({"base": ("", [[LIBC]]), "web": ("base", [[SSL]])})
    after = a_lock({"base": ("", [[LIBC]]), "web": ("base", [[NEWER]])})

    assert told(make_update(before, after, known(BASE, web))) == [
        ("delta", "web", a_size(34), True, "ssl 1 -> 2"),
    ]


def test_equal_deltas_of_several_images_count_once() -> None:
    twin = replace(WEB, id=ImageId("twin"))
    images = {**_images(OLD), "twin": ("base", [[SSL]])}
    before, after = a_lock(images), a_lock({**images, "base": ("", [[a_unit("libc", "2")]])})

    update = make_update(before, after, known(BASE, WEB, twin))

    assert ("delta", "twin web", a_size(4), True, "parent base changed") in told(update)


def test_an_image_without_a_delta_has_none_to_send() -> None:
    bare = an_image("web", [{"ssl": 30}], parent=BASE)
    after = a_lock({**_images(OLD), "base": ("", [[a_unit("libc", "2")]])})

    update = make_update(OLD, after, known(BASE, bare, MAIL))

    assert "web" not in [one[1] for one in told(update)]
    assert ImageId("web") in update.images


@pytest.mark.parametrize("removed", ["web", "mail"])
def test_what_is_no_longer_there_costs_nothing(removed: str) -> None:
    images = _images(OLD)
    del images[removed]

    assert make_update(OLD, a_lock(images), known(BASE, WEB, MAIL)).layers == ()
