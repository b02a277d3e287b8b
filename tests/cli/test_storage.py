"""`lamina storage`, of a store with layers that nobody had to build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Lamina, values
from tests.cli.zoo import write_zoo_lock

ONE = len("layer of sha256:" + 64 * "0")  # compressed; uncompressed ten times as much
SELECTED = ("zebra-server", "zebra-base")
WHAT_IFS = (
    "squashed",
    "base_shared",
    "base_per_type",
    "hierarchy",
    "infra_per_type",
    "layered",
    "lower_bound",
)


@pytest.mark.usefixtures("built")
def test_storage_as_json_has_what_scripts_rely_on(lamina: Lamina) -> None:
    report = values(lamina("storage", "--json", *SELECTED))

    fleet = report["fleet"]
    assert (fleet["apparent"], fleet["unique"], fleet["shared"]) == (50 * ONE, 30 * ONE, 20 * ONE)
    assert (fleet["lower_bound"], fleet["ratio"], fleet["layers"]) == (30 * ONE, 1.0, 3)
    assert fleet["compressed"] == {
        "apparent": 5 * ONE,
        "unique": 3 * ONE,
        "shared": 2 * ONE,
        "lower_bound": 3 * ONE,
        "ratio": 1.0,
    }
    assert fleet["registry"] > 3 * ONE
    assert fleet["node"]["uncompressed"] == 30 * ONE
    assert tuple(report["what_if"]) == WHAT_IFS
    assert report["what_if"]["hierarchy"]["size"] == 30 * ONE
    assert report["what_if"]["hierarchy"]["compressed"] == {"size": 3 * ONE, "ratio": 1.0}
    assert report["exceeded"] == []


@pytest.mark.usefixtures("built")
def test_storage_by_image_is_the_default(lamina: Lamina) -> None:
    base, server = values(lamina("storage", "--json", *SELECTED))["images"]

    assert (base["image"], base["kind"], base["parent"]) == ("zebra-base", "infra", "base")
    assert (server["image"], server["layers"], server["exclusive"]) == ("zebra-server", 3, 10 * ONE)
    assert (server["own"], server["delta"]) == (10 * ONE, 0)


@pytest.mark.usefixtures("built")
def test_storage_by_layer_tells_what_each_holds(lamina: Lamina) -> None:
    report = values(lamina("storage", "--json", "--by", "layer", *SELECTED))

    assert "images" not in report
    held = {(tuple(one["packages"]), tuple(one["delta_of"])) for one in report["layers"]}
    assert held == {(("zebra",), ()), ((), ("base",)), ((), ("zebra-base",))}
    lines = lamina("storage", "--by", "layer", *SELECTED).out.splitlines()
    assert lines[0].split()[:2] == ["LAYER", "IMAGES"]
    assert sum("delta of" in line for line in lines) == 2


@pytest.mark.usefixtures("built")
def test_storage_by_delta_tells_what_is_in_each(lamina: Lamina) -> None:
    deltas = values(lamina("storage", "--json", "--by", "delta", *SELECTED))["deltas"]
    assert sorted(one["image"] for one in deltas) == sorted(SELECTED)

    lines = lamina("storage", "--by", "delta", *SELECTED).out.splitlines()
    assert lines[0].split()[:2] == ["DELTA", "OF"]
    assert lines[1 + len(SELECTED)].split()[0] == "median"


@pytest.mark.usefixtures("built")
def test_storage_by_package_tells_who_has_it(lamina: Lamina) -> None:
    (package,) = values(lamina("storage", "--json", "--by", "package", *SELECTED))["packages"]

    assert (package["package"], package["version"]) == ("zebra", "1.0")
    assert (package["size"], package["images"], package["stored"]) == (10 * ONE, 1, 1)
    lines = lamina("storage", "--by", "package", *SELECTED).out.splitlines()
    assert lines[1].split()[:4] == ["zebra", "1.0", "1", "1"]


@pytest.mark.usefixtures("built")
def test_storage_is_a_table_for_people(lamina: Lamina) -> None:
    lines = lamina("storage", "zebra-base").out.splitlines()

    assert lines[0].split() == [
        *("IMAGE", "LAYERS", "APPARENT", "EXCLUSIVE", "AMORTISED", "COMPRESSED"),
    ]
    assert lines[1].split()[:3] == ["zebra-base", "2", "1.6"]
    assert any(line.startswith("every package once, and every delta once") for line in lines)
    assert lines[-2].startswith("building infra once, not for each type, saves 50 %")
    assert lines[-1] == "1 images, 2 layers"


@pytest.mark.usefixtures("zoo")
def test_storage_of_nothing_is_a_report_too(lamina: Lamina) -> None:
    report = values(lamina("storage", "--json"))

    assert (report["fleet"]["unique"], report["images"]) == (0, [])
    assert lamina("storage").out.splitlines()[-1] == "0 images, 0 layers"


@pytest.mark.usefixtures("built")
def test_a_limit_that_is_exceeded_is_exit_code_1_beside_the_report(lamina: Lamina) -> None:
    ran = lamina("storage", "--json", "--max-image", f"{3 * ONE - 1}", *SELECTED)

    assert ran.code == 1
    (fault,) = json.loads(ran.out)["exceeded"]
    assert fault["place"] == "zebra-server"
    assert f"(1 bytes) over {3 * ONE - 1} B" in fault["message"]
    assert ran.err.startswith("zebra-server: ")
    assert lamina("storage", "--max-image", f"{3 * ONE}", *SELECTED).code == 0
    whole = lamina("storage", "--max-total", f"{3 * ONE - 1}", *SELECTED)
    assert (whole.code, whole.err.split(":")[0]) == (1, "the fleet")


@pytest.mark.usefixtures("built")
def test_since_an_older_lock_tells_the_new_layers(lamina: Lamina, zoo: Path) -> None:
    (zoo / "lamina.lock.json").rename(zoo / "old.lock.json")
    write_zoo_lock(zoo, zebra="1.1")

    update = values(lamina("storage", "--json", "--since", "old.lock.json"))

    assert update["images"] == ["zebra-server"]
    (layer,) = update["layers"]
    assert (layer["images"], layer["causes"]) == (["zebra-server"], ["zebra 1.0 -> 1.1"])
    assert update["estimated"] is layer["estimated"] is True
    told = lamina("storage", "--since", "old.lock.json").out
    assert "1 images are built again, 1 layers are new" in told
    assert "~ is not built yet" in told


@pytest.mark.usefixtures("built")
def test_since_the_same_lock_there_is_nothing_new(lamina: Lamina) -> None:
    update = values(lamina("storage", "--json", "--since", "lamina.lock.json"))

    assert (update["size"], update["images"], update["layers"]) == (0, [], [])


@pytest.mark.usefixtures("built")
def test_the_page_is_written_beside_the_table(lamina: Lamina, zoo: Path) -> None:
    assert lamina("storage", "--html", "storage.html").code == 0

    assert (zoo / "storage.html").read_text().startswith("<!doctype html>")
    missing = lamina("storage", "--html", "no/storage.html")
    assert missing.code == 1
    assert "no/storage.html" in missing.err
