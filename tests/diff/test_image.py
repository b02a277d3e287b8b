"""Two states of an image, compared as far as both tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diff.values import content, file, layer, packages, side, unit

from lamina.diff import Content, Side, Transfer, compare
from lamina.diff.runtime import changed_settings
from lamina.model.built import Layer
from lamina.model.image import Healthcheck, Runtime

A, B, C, D = (layer(name, size) for name, size in (("a", 1000), ("b", 200), ("c", 30), ("d", 4)))
NONE = packages({"base": []})


def test_two_built_images_are_compared_in_everything() -> None:
    old = side(
        "previous",
        packages({"base": [unit("a")]}),
        content("1", files={"etc/a": file("x")}, layers=[A, B], runtime=Runtime(user="zebra")),
    )
    new = side(
        "current",
        packages({"base": [unit("a", "2")]}),
        content("2", files={"etc/a": file("xyz")}, layers=[A, C]),
    )

    diff = compare(old, new)

    assert not diff.equal
    assert [(change.name, change.move) for change in diff.packages] == [("a", "updated")]
    assert diff.content is not None
    assert [(change.path, change.growth) for change in diff.content.files] == [("etc/a", 2)]
    assert [change.name for change in diff.content.runtime] == ["user"]
    layers = diff.content.layers
    assert (layers.kept, layers.new, layers.gone) == ((A,), (C,), (B,))


def test_a_lock_and_a_built_image_are_compared_in_their_packages_only() -> None:
    diff = compare(side("a.lock", NONE), side("current", NONE, content("1", layers=[A])))

    assert (diff.content, diff.groups, diff.equal) == (None, None, True)
    assert diff.old.manifest is None


def test_images_whose_files_are_equal_in_all_but_their_times_still_differ() -> None:
    diff = compare(
        side("1", NONE, content("1", layers=[A])), side("2", NONE, content("2", layers=[B]))
    )

    assert diff.content is not None
    assert (diff.packages, diff.content.files, diff.equal) == ((), (), False)


@pytest.mark.parametrize(
    ("old", "new", "blobs", "prefix"),
    [
        ([A, B], [A, B, C], 30, 30),
        ([A, B, C], [A, B], 0, 0),
        ([A, B, C], [A, D, B, C], 4, 234),
        ([A], [B, B], 200, 200),
        ([], [A, C], 1030, 1030),
    ],
)
def test_a_registry_fetches_the_blobs_that_are_missing_and_some_nodes_all_behind_a_new_one(
    old: Sequence[Layer], new: Sequence[Layer], blobs: int, prefix: int
) -> None:
    diff = compare(
        side("1", NONE, content("1", layers=old)), side("2", NONE, content("2", layers=new))
    )

    documents = 15  # the new manifest and configuration
    assert diff.content is not None
    assert diff.content.transfer == Transfer(blobs=documents + blobs, prefix=documents + prefix)


def test_nothing_is_fetched_for_the_same_image() -> None:
    same = content("1", layers=[A, B])

    diff = compare(side("1", NONE, same), side("2", NONE, same))

    assert diff.equal
    assert diff.content is not None
    assert diff.content.transfer == Transfer(blobs=0, prefix=0)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (Runtime(), Runtime(), []),
        (Runtime(), Runtime(user="zebra"), [("user", None, "zebra")]),
        (
            Runtime(entrypoint=("sh", "-c", "a b")),
            Runtime(entrypoint=("sh",)),
            [("entrypoint", "sh -c 'a b'", "sh")],
        ),
        (
            Runtime(environment={"A": "1", "B": ""}),
            Runtime(environment={"A": "2"}),
            [("environment A", "1", "2"), ("environment B", "", None)],
        ),
        (Runtime(labels={"a": "1"}), Runtime(), [("label a", "1", None)]),
        (Runtime(volumes=("/b", "/a")), Runtime(volumes=("/a", "/b")), []),
        (Runtime(), Runtime(ports=("80/tcp",)), [("ports", None, "80/tcp")]),
        (Runtime(stop_signal="SIGQUIT"), Runtime(), [("stop signal", "SIGQUIT", None)]),
        (
            Runtime(healthcheck=Healthcheck(command=("true",))),
            Runtime(healthcheck=Healthcheck(command=("true",), retries=9)),
            [
                (
                    "health check",
                    "true every 30 s, timeout 30 s, 3 retries, after 5 s",
                    "true every 30 s, timeout 30 s, 9 retries, after 5 s",
                )
            ],
        ),
    ],
)
def test_settings_are_told_one_by_one(
    old: Runtime, new: Runtime, changes: list[tuple[str, str | None, str | None]]
) -> None:
    assert [(one.name, one.old, one.new) for one in changed_settings(old, new)] == changes


runtimes = st.builds(
    Runtime,
    user=st.sampled_from(["", "zebra"]),
    environment=st.dictionaries(st.sampled_from("AB"), st.sampled_from(["", "1"])),
)
contents = st.builds(
    content,
    st.sampled_from("12"),
    files=st.dictionaries(st.sampled_from("xyz"), st.builds(file, st.sampled_from("ab"))),
    layers=st.lists(st.sampled_from([A, B, C, D]), max_size=5),
    runtime=runtimes,
)
sides = st.builds(
    side,
    st.just("x"),
    st.lists(st.builds(unit, st.sampled_from("ab"), st.sampled_from("12"))).map(
        lambda units: packages({"base": units})
    ),
    st.none() | contents,
)


@given(sides)
def test_nothing_differs_from_itself(one: Side) -> None:
    diff = compare(one, one)

    assert diff.equal
    assert diff.packages == ()
    if diff.content:
        assert (diff.content.files, diff.content.runtime) == ((), ())
        assert diff.content.layers.nothing
        assert diff.content.transfer == Transfer(blobs=0, prefix=0)


@given(sides, sides)
def test_a_difference_is_the_mirror_of_the_difference_the_other_way_round(
    one: Side, other: Side
) -> None:
    there, back = compare(one, other), compare(other, one)

    assert there.equal == back.equal
    assert (there.old, there.new) == (back.new, back.old)
    assert [(x.old, x.new) for x in there.packages] == [(x.new, x.old) for x in back.packages]
    assert (there.content is None) == (back.content is None)
    if there.content and back.content:
        assert set(there.content.layers.new) == set(back.content.layers.gone)
        assert set(there.content.layers.kept) == set(back.content.layers.kept)
        assert [(x.name, x.old, x.new) for x in there.content.runtime] == [
            (x.name, x.new, x.old) for x in back.content.runtime
        ]


@given(contents, contents)
def test_whoever_finds_blobs_by_digest_fetches_no_more_than_whoever_does_not(
    old: Content, new: Content
) -> None:
    diff = compare(side("1", NONE, old), side("2", NONE, new)).content

    assert diff is not None
    assert diff.transfer.blobs <= diff.transfer.prefix
