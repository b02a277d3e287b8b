from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from lamina.model.built import Built, Inputs, Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.storage import Size, make_report

NOTHING = Digest.of(b"")


def layer(name: str, size: int, units: Sequence[str] = ()) -> Layer:
    """A layer that compresses to half."""
    return Layer(
        diff_id=Digest.of(name.encode()),
        digest=Digest.of(f"{name} compressed".encode()),
        size=size,
        apparent=2 * size,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        units=tuple(units),
    )


def built(name: str, layers: Sequence[Layer], packages: Mapping[str, int] | None = None) -> Built:
    units = tuple(
        UnitRef(
            name=package,
            version="1",
            architecture="all",
            repository="debian",
            path=f"pool/{package}.deb",
            size=size,
            digest=Digest.of(package.encode()),
        )
        for package, size in (packages or {}).items()
    )
    inputs = Inputs(
        engine=1, codec="gzip", parent=None, calls=NOTHING, units={}, files={}, entry=NOTHING
    )
    return Built(
        id=ImageId(name),
        key=inputs.key(),
        inputs=inputs,
        parent=None,
        manifest=Digest.of(name.encode()),
        manifest_size=1,
        config=NOTHING,
        units=units,
        trees=(),
        layers=tuple(layers),
        own_layers=len(layers),
        epoch=0,
        seconds=1.0,
    )


def both(compressed: int) -> Size:
    return Size(compressed=compressed, uncompressed=2 * compressed)


def test_of_an_empty_store_there_is_an_empty_report() -> None:
    report = make_report([])

    assert (report.images, report.unique, report.ratio) == ((), both(0), 1.0)


def test_an_images_layers_are_exclusive_or_shared_and_images_are_sorted() -> None:
    base, cron, mariadb = layer("base", 100), layer("cron", 10), layer("mariadb", 30)

    report = make_report(
        [built("mariadb", [base, mariadb]), built("base", [base]), built("cron", [base, cron])]
    )

    assert [
        (str(one.image), one.layers, one.apparent, one.exclusive, one.shared)
        for one in report.images
    ] == [
        ("base", 1, both(100), both(0), both(100)),
        ("cron", 2, both(110), both(10), both(100)),
        ("mariadb", 2, both(130), both(30), both(100)),
    ]
    assert [one.amortised.compressed for one in report.images] == [33, 43, 63]


def test_the_fleet_counts_every_layer_once() -> None:
    base = layer("base", 100)

    report = make_report([built("a", [base, layer("a", 10)]), built("b", [base, layer("b", 20)])])

    assert report.layers == 3
    assert report.apparent == both(230)
    assert report.unique == both(130)


def test_a_layer_that_one_image_has_twice_is_still_exclusive() -> None:
    same = layer("same", 10)

    report = make_report([built("a", [same, same])])

    assert report.images[0].exclusive == both(20)
    assert report.unique == both(10)


def test_with_every_unit_in_one_layer_only_the_fleet_is_at_its_lower_bound() -> None:
    layers = [layer("x and y", 70, ["x_1_all", "y_1_all"]), layer("delta", 5)]

    report = make_report([built("a", layers, {"x": 3, "y": 4}), built("b", layers[:1])])

    assert report.lower_bound == report.unique == both(75)
    assert report.ratio == report.compressed_ratio == 1.0


def test_a_unit_in_two_layers_counts_once_in_the_lower_bound() -> None:
    a = built("a", [layer("xy", 40, ["x_1_all", "y_1_all"])], {"x": 30, "y": 10})
    b = built("b", [layer("xz", 60, ["x_1_all", "z_1_all"])], {"x": 30, "z": 30})

    report = make_report([a, b])

    # x is 30 of both layers, y 10 of the first, z 30 of the second.
    assert report.unique == both(100)
    assert report.lower_bound == both(70)
    assert round(report.ratio, 3) == 1.429


def test_the_same_delta_in_two_images_counts_once() -> None:
    delta = layer("delta", 8)

    assert make_report([built("a", [delta]), built("b", [delta])]).lower_bound == both(8)


units = st.lists(st.sampled_from("vwxyz"), unique=True, max_size=4)


@given(st.lists(st.lists(units, min_size=1, max_size=4), min_size=1, max_size=5))
def test_bound_unique_and_apparent_are_in_order_and_the_parts_add_up(
    fleet: list[list[list[str]]],
) -> None:
    images = [
        built(
            f"image-{number}",
            [
                layer(
                    "+".join(own) or f"delta {number}",
                    7 * len(own) + 1,
                    [f"{u}_1_all" for u in own],
                )
                for own in layers
            ],
            {unit: ord(unit) for own in layers for unit in own},
        )
        for number, layers in enumerate(fleet)
    ]

    report = make_report(images)

    for pick in (attrgetter("compressed"), attrgetter("uncompressed")):
        assert pick(report.lower_bound) <= pick(report.unique) <= pick(report.apparent)
        for one in report.images:
            assert pick(one.exclusive) + pick(one.shared) == pick(one.apparent)
            assert pick(one.exclusive) <= pick(one.amortised) + 1 <= pick(one.apparent) + 2
