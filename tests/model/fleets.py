"""Small fleets for tests of names and selections."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from lamina.model.catalog import Catalog, Distro, Repository
from lamina.model.image import Image, ImageId, Kind, Type
from lamina.model.names import reserved_words

DEBIAN = Distro(
    name="debian-13",
    short="debian",
    release="trixie",
    fallback=("debian-13", "debian", "deb"),
    backend="deb",
    architecture="amd64",
    repositories=(
        Repository(name="debian", suites=("trixie",), components=("main",), keyring="/keys.gpg"),
    ),
    rules=(),
)


def infra(
    name: str, *, parent: str = "base", family: str = "", aliases: Sequence[str] = ()
) -> Image:
    """Return an infra image."""
    return Image(
        id=ImageId(name),
        kind=Kind.INFRA,
        family=family or name.partition("-")[0],
        parent=None if name == "base" else ImageId(parent),
        aliases=tuple(aliases),
    )


def openstack(
    name: str, *types: Type, parent: str = "base", aliases: Sequence[str] = ()
) -> tuple[Image, ...]:
    """Return an openstack image, once for each type."""
    return tuple(
        Image(
            id=ImageId(name, type_),
            kind=Kind.OPENSTACK,
            family=name.partition("-")[0],
            parent=ImageId(parent, None if parent == "base" else type_),
            aliases=tuple(aliases),
        )
        for type_ in types
    )


def a_catalog(*images: Image) -> Catalog:
    """Return a catalogue of `images`, which stand in the right order."""
    return Catalog(distro=DEBIAN, images=images)


FLEET = a_catalog(
    infra("base"),
    infra("ceph-base"),
    infra("cron"),
    infra("libvirt", aliases=["nova-libvirt"]),
    infra("mariadb-base"),
    *openstack("keystone", Type.BINARY, Type.SOURCE),
    *openstack("nova-base", Type.BINARY, Type.SOURCE),
    infra("ceph-mon", parent="ceph-base"),
    infra("ceph-osd", parent="ceph-base"),
    infra("mariadb-server", parent="mariadb-base", aliases=["mariadb"]),
    *openstack("nova-api", Type.BINARY, Type.SOURCE, parent="nova-base", aliases=["nova-osapi"]),
    *openstack("nova-compute", Type.SOURCE, parent="nova-base"),
)

_PART = st.text(alphabet="abcdefgmnorsy0123456789", min_size=1, max_size=6)


@st.composite
def image_names(draw: st.DrawFn) -> str:
    """Draw a name that a catalogue may give to an image."""
    parts = draw(st.lists(_PART, min_size=1, max_size=4))
    # Words that lamina puts before names: allowed anywhere but in front.
    reserved: list[str] = sorted(reserved_words())
    parts += draw(st.lists(st.sampled_from(reserved), max_size=1))
    separators = draw(st.lists(st.sampled_from("-._"), min_size=len(parts), max_size=len(parts)))
    name = "".join(part + sign for part, sign in zip(parts, separators, strict=True))[:-1]
    return name if name.partition("-")[0] not in reserved_words() else f"x{name}"


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Draw a catalogue of images of both kinds, with aliases."""
    names = draw(st.lists(image_names(), min_size=1, max_size=6, unique=True))
    images: list[Image] = []
    while names:
        name = names.pop()
        aliased = draw(st.booleans())
        aliases = [names.pop()] if names and aliased else []
        types = draw(st.sets(st.sampled_from(Type)))
        images += (
            openstack(name, *sorted(types), aliases=aliases)
            if types
            else [infra(name, parent="", aliases=aliases)]
        )
    return a_catalog(*images)
