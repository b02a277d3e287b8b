"""A place in a registry is read as people write it, and nothing else is."""

from __future__ import annotations

import pytest

from lamina.errors import UsageError
from lamina.model.reference import Namespace


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("registry.example.org/cloud", "registry.example.org", "cloud"),
        ("registry.example.org:5000/cloud/infra/", "registry.example.org:5000", "cloud/infra"),
        ("https://registry.example.org/a__b.c-d", "registry.example.org", "a__b.c-d"),
        ("localhost/cloud", "localhost", "cloud"),
        ("127.0.0.1:5000", "127.0.0.1:5000", ""),
        ("[::1]:5000/cloud", "[::1]:5000", "cloud"),
    ],
)
def test_a_place_is_a_registry_and_a_namespace(text: str, host: str, path: str) -> None:
    place = Namespace.parse(text)

    assert (place.host, place.path, place.clear) == (host, path, False)
    assert place.registry == host
    reference = place.reference("debian-cron:latest")
    assert place.address(reference) == "/".join(
        part for part in (host, path, "debian-cron:latest") if part
    )
    assert reference.tag == "latest"


def test_without_tls_only_where_it_is_said() -> None:
    place = Namespace.parse("http://127.0.0.1:5000/cloud")

    assert place.clear
    assert str(place) == "127.0.0.1:5000/cloud"
    assert place.registry == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "cloud", "cloud/infra", "registry.example.org/Cloud", "registry.example.org:/a"),
        *("registry.example.org/a//b", "registry.example.org/-a", "me@registry.example.org/a"),
        *("ftp://registry.example.org/a", "registry.example.org/cloud:latest"),
    ],
)
def test_what_is_no_place_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError) as told:
        Namespace.parse(text)
    assert told.value.faults[0].remedy
