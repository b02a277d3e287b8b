"""Making units: what belongs together, what is made again, and what others' faults spare."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from tests.artifacts.releases import a_ref, line, packed, program
from tests.backends.packages import control_tarball, file, tarball, write_package
from tests.backends.pythons import PUBLIC, interpreter_package, module_package, ref_of
from tests.plan.fleets import a_catalog, a_lock, a_unit, an_image

from lamina.build.making import batches, find_unit, locked_units, make_units, unpackings
from lamina.engine.unit import FACTS, TREE, Interpreter, Unpacking
from lamina.errors import BuildError, LaminaError, StoreError
from lamina.model.artifact import Recipe
from lamina.model.digest import Digest
from lamina.model.lock import UnitRef
from lamina.oci.tree import scan_tree
from lamina.store.store import Store

SPAWN = multiprocessing.get_context("spawn")
_PATIENCE = 60  # seconds


def make(store: Store, *wanted: Unpacking) -> Mapping[str, LaminaError]:
    """Make units in one go; return what is wrong with packages, and check what is told of others.

    Not for such as other processes may change meanwhile.
    """
    results = make_units(store, wanted)
    assert results.keys() == {each.ref.key for each in wanted}
    for each in wanted:
        found = results[each.ref.key]
        assert find_unit(store, each) == (None if isinstance(found, LaminaError) else found)
    return {key: found for key, found in results.items() if isinstance(found, LaminaError)}


def an_interpreter(name: str, *units: UnitRef) -> Interpreter:
    return Interpreter(identity=Digest.of(name.encode()), units=units)


ONE, OTHER = an_interpreter("one"), an_interpreter("other")


def some(number: int, interpreter: Interpreter | None) -> list[Unpacking]:
    return [Unpacking(ref=a_unit(f"unit{n}"), interpreter=interpreter) for n in range(number)]


LAST = Unpacking(ref=a_unit("last"), interpreter=ONE)
BATCHES: Mapping[str, tuple[Sequence[Unpacking], Sequence[int]]] = {
    "nothing": ([], []),
    "without an interpreter one by one": (some(3, None), [1, 1, 1]),
    "with one together": (some(12, ONE), [12]),
    "of one interpreter each": (
        [*some(1, None), *some(2, ONE), *some(3, OTHER), LAST],
        [1, 2, 3, 1],
    ),
}


@pytest.mark.parametrize("case", BATCHES)
def test_units_are_made_in_batches_in_their_order(case: str) -> None:
    wanted, sizes = BATCHES[case]
    found = list(batches(wanted))
    assert [len(batch) for batch in found] == sizes
    assert [each for batch in found for each in batch] == wanted
    assert all(len({each.interpreter for each in batch}) == 1 for batch in found)


def test_what_an_interpreter_runs_from_is_made_before_all_that_it_compiles() -> None:
    libc6, python, pip, openssl = map(a_unit, ("libc6", "python3.13", "python3-pip", "openssl"))
    interpreter = an_interpreter("python", python, openssl, a_unit("not-asked-for"))
    plain = {ref: Unpacking(ref=ref) for ref in (libc6, python, openssl)}
    own, yaml = (Unpacking(ref=ref, interpreter=interpreter) for ref in (python, pip))
    assert list(batches([plain[libc6], own, plain[openssl], yaml])) == [
        (plain[libc6],),
        (plain[python],),
        (plain[openssl],),
        (own, yaml),
    ]


def test_a_batch_has_no_more_units_however_many_are_wanted() -> None:
    sizes = {max(map(len, batches(some(number, ONE)))) for number in (200, 300, 401)}
    assert len(sizes) == 1


PYTHON = a_unit("python3-minimal")
LINE = ((a_unit("libc6"),), (PYTHON, a_unit("python3-apt")), (a_unit("python3-yaml"),))


def test_each_image_s_modules_are_compiled_by_its_ancestors_interpreter() -> None:
    first, second, third = unpackings(LINE)
    assert [each.ref for own in (first, second, third) for each in own] == [
        ref for own in LINE for ref in own
    ]
    assert {each.interpreter for each in first} == {None}
    (yaml,) = third
    assert yaml.interpreter is not None
    assert yaml.interpreter.units == (*LINE[0], *LINE[1])


def test_of_the_image_that_brings_the_interpreter_this_compiles_its_own_packages_alone() -> None:
    _, (python, apt), (yaml,) = unpackings(LINE)
    assert python.interpreter == yaml.interpreter
    assert apt.interpreter is None


def test_a_unit_with_compiled_modules_is_another_than_its_package() -> None:
    plain = Unpacking(ref=a_unit("python3-yaml"))
    one, other = (replace(plain, interpreter=each) for each in (ONE, OTHER))
    assert plain.digests == (plain.ref.digest,)
    assert one.digests == (one.compiled, plain.ref.digest)
    assert len({plain.compiled, one.compiled, other.compiled}) == 3


def test_a_lock_holds_the_packages_and_all_that_units_may_be_made_of_them() -> None:
    catalog = a_catalog(an_image("base"), an_image("python", "base"), an_image("yaml", "python"))
    lock = a_lock(catalog, dict(zip(("base", "python", "yaml"), LINE, strict=True)))
    _, (python, _apt), (yaml,) = unpackings(LINE)
    packages = {ref.digest for own in LINE for ref in own}
    assert locked_units(lock) == packages | {python.compiled, yaml.compiled}


@dataclass(frozen=True, slots=True)
class Workshop:
    """A store, and a folder for packages that are put into it."""

    store: Store
    folder: Path

    def take(self, package: Path) -> UnitRef:
        """Put a package among the downloads."""
        ref = ref_of(package)
        self.store.download_path(ref.digest).write_bytes(package.read_bytes())
        return ref

    def modules(self, name: str, text: str = "x = 1\n") -> UnitRef:
        """Take a package with a public module."""
        return self.take(module_package(self.folder, name, {f"{PUBLIC}/{name}.py": text}))

    def plain(self, name: str) -> UnitRef:
        """Take a package without modules."""
        data = tarball([file("./usr-file", name.encode())])
        control = control_tarball(name, members=[file("./md5sums", b"")])
        return self.take(write_package(self.folder / f"{name}.deb", control, data))

    def interpreter(self, identity: str = "one") -> Interpreter:
        return an_interpreter(identity, self.take(interpreter_package(self.folder)))

    def units(self) -> set[str]:
        return {path.name for path in self.store.units.iterdir() if path.is_dir()}

    def made(self, wanted: Unpacking) -> tuple[str, ...]:
        """Return the compiled modules of a unit that is there."""
        facts = find_unit(self.store, wanted)
        assert facts is not None
        return tuple(path for path in facts.files if path.endswith(".pyc"))


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    (tmp_path / "packages").mkdir()
    return Workshop(Store.open(tmp_path / "store"), tmp_path / "packages")


def test_units_without_an_interpreter_are_their_packages(shop: Workshop) -> None:
    wanted = [Unpacking(ref=shop.modules("sample")), Unpacking(ref=shop.plain("plain"))]
    for each in wanted:
        assert find_unit(shop.store, each) is None
        assert make(shop.store, each) == {}
        assert shop.made(each) == ()
    assert shop.units() == {each.ref.digest.hex for each in wanted}
    assert list((shop.store.root / "work").iterdir()) == []


@pytest.mark.real
def test_a_unit_with_foreseen_modules_is_made_for_each_interpreter(shop: Workshop) -> None:
    python = shop.interpreter()
    ref = shop.modules("sample")
    one, other = (
        Unpacking(ref=ref, interpreter=replace(python, identity=Digest.of(identity)))
        for identity in (b"one", b"other")
    )
    plain = Unpacking(ref=ref)
    assert make(shop.store, one) == {}
    assert len(shop.made(one)) == 1
    assert find_unit(shop.store, other) is None
    assert find_unit(shop.store, plain) is None
    assert make(shop.store, other) == make(shop.store, plain) == {}
    assert [len(shop.made(each)) for each in (one, other, plain)] == [1, 1, 0]
    assert shop.units() == {
        *(each.compiled.hex for each in (one, other, plain)),
        python.units[0].digest.hex,
    }


@pytest.mark.real
def test_a_unit_without_modules_is_made_once_for_all_interpreters(shop: Workshop) -> None:
    python = shop.interpreter()
    ref = shop.plain("plain")
    assert make(shop.store, Unpacking(ref=ref, interpreter=python)) == {}
    for interpreter in (None, python, OTHER):
        facts = find_unit(shop.store, Unpacking(ref=ref, interpreter=interpreter))
        assert facts is not None
        assert facts.digest == ref.digest


@pytest.mark.real
def test_a_unit_whose_modules_cannot_be_compiled_is_not_made_again(shop: Workshop) -> None:
    python = shop.interpreter()
    wanted = Unpacking(ref=shop.modules("sample", "def (\n"), interpreter=python)
    assert make(shop.store, wanted) == {}
    facts = find_unit(shop.store, wanted)
    assert facts is not None
    assert (facts.digest, facts.compiles) == (wanted.compiled, ())
    assert make(shop.store, wanted) == {}
    assert shop.units() == {wanted.compiled.hex, python.units[0].digest.hex}


@pytest.mark.real
def test_what_is_there_stays_as_it_is(shop: Workshop) -> None:
    python = shop.interpreter()
    first = Unpacking(ref=shop.modules("first"), interpreter=python)
    make(shop.store, first)
    place = shop.store.unit_path(first.compiled)
    before = place.stat().st_ino
    second = Unpacking(ref=shop.modules("second"), interpreter=python)
    assert make(shop.store, first, second) == {}
    assert place.stat().st_ino == before
    assert len(shop.made(second)) == 1


@pytest.mark.real
def test_a_unit_that_was_changed_is_made_again(shop: Workshop) -> None:
    wanted = Unpacking(ref=shop.modules("sample"), interpreter=shop.interpreter())
    make(shop.store, wanted)
    place = shop.store.unit_path(wanted.compiled)
    module = place / TREE / shop.made(wanted)[0]
    whole = module.read_bytes()
    module.write_bytes(b"damaged")
    assert find_unit(shop.store, wanted) is None
    assert make(shop.store, wanted) == {}
    assert module.read_bytes() == whole


@pytest.mark.real
def test_a_unit_of_another_version_of_lamina_is_made_again(shop: Workshop) -> None:
    wanted = Unpacking(ref=shop.plain("plain"))
    assert make(shop.store, wanted) == {}
    with shop.store.work_folder() as work:
        folder = shop.store.unit_path(wanted.ref.digest).rename(work / "unit")
        whole = (folder / FACTS).read_text()
        (folder / FACTS).write_text('{"format": 1, "name": "plain"}')
        shop.store.keep_unit(folder, wanted.ref.digest)
    assert find_unit(shop.store, wanted) is None
    assert make(shop.store, wanted) == {}
    assert (shop.store.unit_path(wanted.ref.digest) / FACTS).read_text() == whole


@pytest.mark.real
def test_an_interpreter_compiles_its_own_packages_beside_those_that_it_runs_from(
    shop: Workshop,
) -> None:
    python = shop.interpreter()
    (own,) = python.units
    module = shop.modules("python3")
    python = replace(python, units=(own, module))
    wanted = Unpacking(ref=module, interpreter=python)
    assert make(shop.store, wanted) == {}
    assert len(shop.made(wanted)) == 1
    assert shop.made(Unpacking(ref=module)) == ()
    assert shop.units() == {own.digest.hex, module.digest.hex, wanted.compiled.hex}


def no_package(shop: Workshop) -> UnitRef:
    package = shop.folder / "bad.deb"
    package.write_bytes(b"no package at all")
    return shop.take(package)


def changed_download(shop: Workshop) -> UnitRef:
    ref = shop.modules("bad")
    with shop.store.download_path(ref.digest).open("ab") as file_:
        file_.write(b"\0")
    return ref


def lost_download(shop: Workshop) -> UnitRef:
    ref = shop.modules("bad")
    shop.store.download_path(ref.digest).unlink()
    return ref


@pytest.mark.real
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (no_package, BuildError, "bad.deb|ar archive"),
        (changed_download, StoreError, "was damaged in the store while it was in use"),
        (lost_download, StoreError, "was damaged in the store while it was in use"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_package_does_not_harm_the_others(
    bad: Callable[[Workshop], UnitRef], error: type[Exception], message: str, shop: Workshop
) -> None:
    python = shop.interpreter()
    refs = [shop.modules("first"), bad(shop), shop.modules("last"), shop.plain("plain")]
    wanted = [Unpacking(ref=ref, interpreter=python) for ref in refs]
    faults = make(shop.store, *wanted)
    assert list(faults) == [refs[1].key]
    with pytest.raises(error, match=message):
        raise faults[refs[1].key]
    assert find_unit(shop.store, wanted[1]) is None
    assert [len(shop.made(wanted[n])) for n in (0, 2, 3)] == [1, 1, 0]
    assert list((shop.store.root / "work").iterdir()) == []


@pytest.mark.real
def test_an_interpreter_that_cannot_be_unpacked_is_what_is_told(shop: Workshop) -> None:
    python = shop.interpreter()
    shop.store.download_path(python.units[0].digest).unlink()
    wanted = Unpacking(ref=shop.modules("sample"), interpreter=python)
    with pytest.raises(StoreError, match="python3-minimal"):
        make_units(shop.store, [wanted])


@pytest.mark.real
def test_an_interpreter_is_made_whole_whatever_else_its_image_stands_on(shop: Workshop) -> None:
    python = shop.interpreter()
    other = replace(python, units=(shop.plain("beside"), *python.units))
    assert other == python  # it compiles to the same
    for name, interpreter in (("one", python), ("two", other)):
        wanted = Unpacking(ref=shop.modules(name), interpreter=interpreter)
        assert make(shop.store, wanted) == {}
        assert len(shop.made(wanted)) == 1


def make_at(barrier: Barrier, store: Store, batch: Sequence[Unpacking]) -> None:
    barrier.wait(_PATIENCE)
    results = make_units(store, batch)
    assert [each for each in results.values() if isinstance(each, LaminaError)] == []
    assert len(results) == len(batch)


@pytest.mark.real
def test_two_processes_make_a_batch_once_and_the_same(shop: Workshop, tmp_path: Path) -> None:
    python = shop.interpreter()
    refs = [*(shop.modules(name) for name in ("one", "two", "three")), shop.plain("plain")]
    batch = [Unpacking(ref=ref, interpreter=python) for ref in refs]
    barrier = SPAWN.Barrier(2)
    # Each in an order of its own: they must not wait for each other.
    processes = [
        SPAWN.Process(target=make_at, args=(barrier, shop.store, order))
        for order in (batch, batch[::-1])
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(_PATIENCE)
        assert process.exitcode == 0
    assert [len(shop.made(each)) for each in batch] == [1, 1, 1, 0]
    assert len(shop.units()) == len(batch) + 1
    assert list((shop.store.root / "work").iterdir()) == []

    alone = Workshop(Store.open(tmp_path / "alone"), shop.folder)
    for ref in (*refs, *python.units):
        content = shop.store.download_path(ref.digest).read_bytes()
        alone.store.download_path(ref.digest).write_bytes(content)
    for each in batch:
        assert make(alone.store, each) == {}
    assert described(shop) == described(alone)


def described(shop: Workshop) -> Mapping[str, object]:
    """Return all that the units of a store hold, times included."""
    return {
        name: (
            (shop.store.units / name / FACTS).read_text(),
            [
                (
                    replace(entry, source=None),
                    Path(entry.source).read_bytes() if entry.source else b"",
                )
                for entry in scan_tree(shop.store.units / name / TREE)
            ],
        )
        for name in shop.units()
    }


TOOL = packed([program("tool/bin"), file("tool/module.py", b"x = 1\n")], ".tar.gz")


def an_artifact(shop: Workshop, content: bytes = TOOL, name: str = "tool") -> UnitRef:
    """Take a release archive."""
    ref = a_ref(content, f"{name}.tar.gz", line("tool/", f"/opt/{name}/"), name=name)
    shop.store.download_path(ref.digest).write_bytes(content)
    return ref


def test_an_artifact_becomes_a_unit_beside_packages(shop: Workshop) -> None:
    ref, package = an_artifact(shop), shop.plain("plain")
    assert make(shop.store, Unpacking(ref=ref), Unpacking(ref=package)) == {}
    facts = find_unit(shop.store, Unpacking(ref=ref))
    assert facts is not None
    assert facts.digest == ref.identity
    assert facts.files == ("opt/tool/bin", "opt/tool/module.py")
    assert shop.units() == {ref.identity.hex, package.digest.hex}
    assert {path.name for path in shop.store.unit_path(ref.identity).iterdir()} == {TREE, FACTS}


def test_another_recipe_of_the_same_file_is_another_unit(shop: Workshop) -> None:
    ref = an_artifact(shop)
    other = a_ref(TOOL, "tool.tar.gz", line("tool/bin", "/usr/bin/tool"), name="tool")
    for each in (ref, other, ref):
        assert make(shop.store, Unpacking(ref=each)) == {}
    assert shop.units() == {ref.identity.hex, other.identity.hex}
    assert [path.name for path in shop.store.downloads.iterdir()] == [ref.digest.hex]


def test_modules_of_artifacts_are_not_compiled() -> None:
    artifact = replace(a_unit("artifact:tool"), recipe=Recipe(install=()))
    named = replace(artifact, name="artifact:python3-minimal")
    _, second, third = unpackings(((PYTHON,), (artifact, named), (a_unit("python3-yaml"),)))
    assert {each.interpreter for each in second} == {None}
    assert third[0].interpreter is not None
    assert third[0].interpreter.units == (PYTHON,)


def test_a_lock_holds_the_files_of_artifacts_and_the_units_that_are_made_of_them() -> None:
    catalog = a_catalog(an_image("base"))
    artifact = replace(a_unit("artifact:tool"), recipe=Recipe(install=(line("", "/x"),)))
    lock = a_lock(catalog, {"base": [a_unit("libc6")]})
    images = (replace(lock.images[0], artifacts=(artifact.key,)),)
    lock = replace(lock, images=images, units={**lock.units, artifact.key: artifact})
    assert locked_units(lock) == {
        *(a_unit("libc6").digest, artifact.digest, artifact.identity),
    }
    assert artifact.identity != artifact.digest


def test_a_hostile_artifact_spares_the_others_and_leaves_nothing(shop: Workshop) -> None:
    hostile = an_artifact(shop, packed([file("../evil")], ".tar.gz"), "evil")
    good = an_artifact(shop)
    faults = make(shop.store, Unpacking(ref=hostile), Unpacking(ref=good))
    assert list(faults) == [hostile.key]
    assert "artifact evil 1.0: it is refused: '../evil'" in str(faults[hostile.key])
    assert shop.units() == {good.identity.hex}
    assert list((shop.store.root / "work").iterdir()) == []


def test_an_artifact_that_was_changed_since_it_was_fetched_is_told(shop: Workshop) -> None:
    ref = an_artifact(shop)
    shop.store.download_path(ref.digest).write_bytes(TOOL[:-1] + b"x")
    with pytest.raises(StoreError, match=r"artifact tool 1\.0 was damaged in the store"):
        raise make_units(shop.store, [Unpacking(ref=ref)])[ref.key]  # type: ignore[misc]
    assert shop.units() == set()
