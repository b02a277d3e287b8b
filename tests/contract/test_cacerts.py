"""kolla_copy_cacerts: a deployment's certificates come and go, in Debian's way and Red Hat's."""

from __future__ import annotations

import os
import stat

import pytest
from tests.contract.conftest import Container

pytestmark = pytest.mark.real

SOURCE = "/var/lib/kolla/config_files/ca-certificates"
WAYS = {
    "Debian": ("/usr/sbin/update-ca-certificates", "/usr/local/share/ca-certificates"),
    "Red Hat": ("/usr/bin/update-ca-trust", "/etc/pki/ca-trust/source/anchors"),
}
# Stands for the distribution's program, and notes its environment.
_UPDATE = """#!/bin/sh
echo updated >> /updates
[ ! -e /broken ] || exit 3
env > /environment
"""


# A container that has the one program in its /usr, and not the other.
_COPY = """#!/bin/sh -e
mount -t overlay -o lowerdir=/above:/usr overlay /usr
mount --bind /local /usr/local
exec kolla_copy_cacerts
"""


@pytest.fixture(params=WAYS)
def anchors(request: pytest.FixtureRequest, container: Container) -> str:
    """Where a container of each family takes certificates from, seen from the test."""
    for family, (program, _) in WAYS.items():
        path = program.replace("/usr", "/above")
        if family == request.param:
            container.put(path, _UPDATE, mode=0o755)
        else:
            container.folder(path.rpartition("/")[0])
            os.mknod(container.path(path), stat.S_IFCHR, os.makedev(0, 0))  # as good as not there
    container.put("/local/bin/copy", _COPY, mode=0o755)
    return WAYS[request.param][1].replace("/usr/local", "/local")


def test_certificates_come_and_go(container: Container, anchors: str) -> None:
    container.put(f"{SOURCE}/one.crt", "1")
    container.put(f"{SOURCE}/two.pem", "2")
    container.put(f"{SOURCE}/README", "no certificate")
    container.put(f"{anchors}/admin.crt", "the image's own")
    done = container.run(
        "copy", environment={"OPENSSL_CONF": "/tmp/evil", "PATH": os.environ["PATH"]}
    )
    assert done.stdout == f"kolla_copy_cacerts: {SOURCE}/README: neither .crt nor .pem, ignored\n"
    assert container.path(f"{anchors}/kolla-one.crt").read_text() == "1"
    assert container.path(f"{anchors}/kolla-two.crt").read_text() == "2"
    assert "OPENSSL_CONF" not in container.path("/environment").read_text()

    container.run("copy")
    assert container.path("/updates").read_text() == "updated\n", "nothing had changed"

    container.path(f"{SOURCE}/one.crt").unlink()
    container.run("copy")
    assert sorted(path.name for path in container.path(anchors).iterdir()) == [
        "admin.crt",
        "kolla-two.crt",
    ]
    assert container.path("/updates").read_text() == "updated\nupdated\n"


def test_an_update_that_failed_is_tried_again(container: Container, anchors: str) -> None:
    container.put(f"{SOURCE}/one.crt", "1")
    broken = container.put("/broken")
    container.run("copy", code=1)
    broken.unlink()
    container.run("copy")
    assert container.path(f"{anchors}/kolla-one.crt").read_text() == "1"
    assert container.path("/updates").read_text() == "updated\nupdated\n"


def test_without_certificates_nothing_is_done(container: Container, anchors: str) -> None:
    container.run("copy")
    assert not container.path("/updates").exists()


def test_a_planted_link_is_no_certificate(container: Container) -> None:
    container.folder(SOURCE, owner=(42436, 42436))
    container.link(f"{SOURCE}/one.crt", "/etc/passwd", owner=(42436, 42436))
    done = container.run("kolla_copy_cacerts", code=1)
    assert "leads through a link that another than root may have made" in done.stderr
