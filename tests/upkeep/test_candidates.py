from __future__ import annotations

from dataclasses import replace

from tests.plan.fleets import DISTRO, a_build, a_catalog, a_lock, a_unit, an_image

from lamina.model.cadence import Cadence
from lamina.model.catalog import Repository
from lamina.model.image import ImageId
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.pipeline.beside import Shelf, candidates_of

SECURITY = Repository(
    name="debian-security", suites=(), components=(), keyring="", default=True, security=True
)
BASE, CRON = ImageId("base"), ImageId("cron")


def test_an_image_has_the_security_updates_of_its_ancestors_too() -> None:
    images = (an_image("base"), replace(an_image("cron", "base"), cadence=Cadence.DAILY))
    catalog = a_catalog(*images)
    catalog = replace(catalog, distro=replace(DISTRO, repositories=(SECURITY,)))
    built = a_build(catalog, a_lock(catalog, {}))
    libssl = replace(a_unit("libssl", "3.5.2"), repository="debian-security")
    built[BASE] = replace(built[BASE], units=(libssl, a_unit("bash")))
    built[CRON] = replace(built[CRON], units=(a_unit("cron"),))
    shelf = Shelf(
        namespace=Namespace(host="registry.example", path="fleet"),
        schemes=(Scheme.SPLIT, Scheme.LEGACY),
        tag="latest",
        catalog=catalog,
    )

    found = candidates_of(shelf, built)

    assert found[BASE].security == found[CRON].security == {"libssl": "3.5.2"}
    assert found[CRON].cadence is Cadence.DAILY
    assert found[CRON].names == {
        "fleet/debian-cron:latest",
        "fleet/debian-binary-cron:latest",
        "fleet/debian-source-cron:latest",
    }
