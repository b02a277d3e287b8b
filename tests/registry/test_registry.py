"""What goes to a real registry arrives, whatever happens on the way."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.registry.guarded import QUICK, Guarded, token_registry, write_auth
from tests.registry.proxy import Fault, Proxy, at_random

from lamina.errors import NetworkError, StoreError, UsageError
from lamina.model.digest import Digest, canonical_json
from lamina.oci.descriptor import CONFIG_TYPE, GZIP_LAYER_TYPE, MANIFEST_TYPE, Descriptor
from lamina.registry import Access, Manifest, StoppedError, open_registry
from lamina.registry.client import Registry

pytestmark = pytest.mark.real


@pytest.fixture
def registry(guarded: Guarded) -> Iterator[Registry]:
    with open_registry(guarded.address, guarded.access) as registry:
        yield registry


@pytest.fixture
def through(guarded: Guarded, proxy: Proxy) -> Iterator[Registry]:
    with open_registry(proxy.address, guarded.access) as registry:
        yield registry


def push(registry: Registry, repository: str, file: Path) -> Digest:
    digest = Digest.of(file.read_bytes())
    registry.push_blob(repository, digest, file, file.stat().st_size)
    return digest


def a_manifest(blob: Digest, size: int, note: str = "") -> Manifest:
    """Return a manifest whose only blob is configuration and layer at once."""
    as_config, as_layer = (
        Descriptor(media_type=kind, digest=blob, size=size).to_json()
        for kind in (CONFIG_TYPE, GZIP_LAYER_TYPE)
    )
    content = canonical_json(
        {
            **{"schemaVersion": 2, "mediaType": MANIFEST_TYPE},
            **{"config": as_config, "layers": [as_layer], "annotations": {"note": note}},
        }
    )
    return Manifest(content=content, media_type=MANIFEST_TYPE)


def test_a_blob_that_was_sent_is_there_and_comes_back(
    registry: Registry, content: Path, tmp_path: Path
) -> None:
    digest = Digest.of(content.read_bytes())
    assert not registry.has_blob("blobs/one", digest)
    seen: list[int] = []

    registry.push_blob("blobs/one", digest, content, content.stat().st_size, seen.append)

    assert registry.has_blob("blobs/one", digest)
    assert not registry.has_blob("blobs/other", digest)
    assert seen == sorted(seen)
    assert seen[-1] == content.stat().st_size == registry.traffic.blob_bytes
    registry.pull_blob("blobs/one", digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content.read_bytes()


def test_a_mounted_blob_costs_no_bytes(registry: Registry, content: Path) -> None:
    digest = push(registry, "mounts/from", content)
    before = registry.traffic.blob_bytes

    assert registry.mount_blob("mounts/to", digest, "mounts/from")

    assert registry.has_blob("mounts/to", digest)
    assert registry.traffic.blob_bytes == before


def test_a_mount_that_is_refused_leaves_no_upload_behind(
    through: Registry, proxy: Proxy, content: Path, guarded: Guarded
) -> None:
    digest = push(through, "refused/from", content)
    proxy.fault = lambda _, path: "no mount" if "mount=" in path else None

    assert not through.mount_blob("refused/to", digest, "refused/from")

    assert not through.has_blob("refused/to", digest)
    assert list(guarded.registry.folder.glob("data/**/refused/to/_uploads/*/startedat")) == []


def test_a_manifest_comes_back_by_tag_and_by_digest(registry: Registry, content: Path) -> None:
    manifest = a_manifest(push(registry, "manifests/one", content), content.stat().st_size)

    registry.put_manifest("manifests/one", manifest.digest, manifest)
    assert registry.tags("manifests/one") == ()
    for tag in ("b", "a"):
        registry.put_manifest("manifests/one", tag, manifest)

    assert registry.manifest("manifests/one", "a") == manifest
    assert registry.manifest("manifests/one", manifest.digest) == manifest
    assert registry.manifest_digest("manifests/one", "b") == manifest.digest
    assert registry.tags("manifests/one") == ("a", "b")
    assert registry.traffic.manifest_bytes == 3 * len(manifest.content)


def test_what_is_not_there_is_none(registry: Registry) -> None:
    assert registry.manifest("nobody/knows", "this") is None
    assert registry.manifest_digest("nobody/knows", Digest.of(b"this")) is None
    assert registry.tags("nobody/knows") == ()


def test_a_deleted_manifest_is_gone_with_its_tags(registry: Registry, content: Path) -> None:
    manifest = a_manifest(push(registry, "deleted/one", content), content.stat().st_size)
    registry.put_manifest("deleted/one", "tag", manifest)

    registry.delete_manifest("deleted/one", manifest.digest)
    registry.delete_manifest("deleted/one", manifest.digest)

    assert registry.manifest("deleted/one", "tag") is None


def test_a_manifest_whose_blobs_are_not_there_is_refused(registry: Registry) -> None:
    with pytest.raises(NetworkError, match="400"):
        registry.put_manifest("refused/manifest", "tag", a_manifest(Digest.of(b"none"), 4))


def test_tags_come_in_pages(registry: Registry, content: Path, guarded: Guarded) -> None:
    manifest = a_manifest(push(registry, "pages/one", content), content.stat().st_size)
    registry.put_manifest("pages/one", "first", manifest)
    tags = (
        guarded.registry.folder / "data/docker/registry/v2/repositories/pages/one/_manifests/tags"
    )
    for number in range(1500):
        (tags / f"n{number}").symlink_to(tags / "first")

    assert len(registry.tags("pages/one")) == 1501


@pytest.mark.parametrize("fault", ["refuse", "hang up", "cut off", "lose"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "GET"])
def test_a_failure_of_any_step_is_made_good(
    through: Registry, proxy: Proxy, content: Path, tmp_path: Path, fault: Fault, method: str
) -> None:
    repository = f"failures/{method.lower()}-{fault.replace(' ', '-')}"
    through.tags(repository)  # a registry that never answered is not waited for
    failed: set[str] = set()

    def once(asked: str, path: str) -> Fault | None:
        about = path.partition("/uploads/")[0]
        if asked != method or about in failed:
            return None
        failed.add(about)
        return fault

    proxy.fault = once
    digest = push(through, repository, content)
    assert through.has_blob(repository, digest)
    manifest = a_manifest(digest, content.stat().st_size)
    through.put_manifest(repository, "tag", manifest)
    assert through.manifest(repository, "tag") == manifest
    through.pull_blob(repository, digest, tmp_path / "back")

    assert (tmp_path / "back").read_bytes() == content.read_bytes()
    assert failed
    assert through.traffic.repeated == len(failed)


def test_an_upload_whose_answer_was_lost_is_not_sent_again(
    through: Registry, proxy: Proxy, content: Path
) -> None:
    through.tags("lost/answer")
    lost: Iterator[Fault] = iter(["lose"])
    proxy.fault = lambda method, _: next(lost, None) if method == "PUT" else None

    push(through, "lost/answer", content)

    assert proxy.received == content.stat().st_size == through.traffic.blob_bytes


def test_a_registry_that_asks_for_time_gets_it(through: Registry, proxy: Proxy) -> None:
    limited: Iterator[Fault] = iter(["limit"])
    proxy.fault = lambda _, __: next(limited, None)
    began = time.monotonic()

    through.has_blob("limits/one", Digest.of(b""))

    assert 1 <= time.monotonic() - began < 5
    assert len(proxy.requests) == 3  # it also asks for the password


def test_while_one_waits_for_a_registry_the_others_do_not_ask(
    through: Registry, proxy: Proxy
) -> None:
    through.tags("limits/all")
    proxy.requests.clear()
    limited: Iterator[Fault] = iter(["limit"])
    proxy.fault = lambda _, __: next(limited, None)
    first = threading.Thread(target=through.tags, args=("limits/all",))
    first.start()
    while not proxy.requests:
        time.sleep(0.01)
    time.sleep(0.2)

    began = time.monotonic()
    through.tags("limits/all")
    first.join()

    assert time.monotonic() - began > 0.5
    assert len(proxy.requests) == 3


def test_a_registry_that_fails_at_random_is_used_all_the_same(
    through: Registry, proxy: Proxy, content: Path
) -> None:
    proxy.fault = at_random(5, 0.3, "refuse", "hang up", "cut off", "lose")
    for number in range(8):
        content.write_bytes(os.urandom(300_000))
        digest = push(through, f"random/{number}", content)
        assert through.has_blob(f"random/{number}", digest)
    assert through.traffic.repeated > 0


def test_a_registry_that_never_answers_is_given_up(guarded: Guarded) -> None:
    access = replace(guarded.access, patience=replace(QUICK, pause=0.01))
    with (
        open_registry("127.0.0.1:1", access) as registry,
        pytest.raises(NetworkError, match="tried 3 times") as told,
    ):
        registry.tags("any")
    assert told.value.faults[0].place == "127.0.0.1:1/any"
    assert told.value.faults[0].remedy


def test_a_registry_that_asks_for_too_much_time_is_given_up(
    through: Registry, proxy: Proxy
) -> None:
    proxy.retry_after = 100_000
    proxy.fault = lambda _, __: "limit"
    with pytest.raises(NetworkError, match="429"):
        through.tags("any")


@pytest.mark.parametrize("fault", ["limit", "hang"])
def test_a_wait_ends_when_the_run_is_stopped(through: Registry, proxy: Proxy, fault: Fault) -> None:
    proxy.retry_after = 200
    proxy.fault = lambda _, __: fault
    ended: list[Exception] = []

    def ask() -> None:
        try:
            through.tags("any")
        except StoppedError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not proxy.requests:
        time.sleep(0.01)
    time.sleep(0.2)  # it waits for the answer, or for the time to pass
    through.stop()
    thread.join(timeout=5)

    assert len(ended) == 1


def test_without_a_password_the_remedy_says_how_to_log_in(guarded: Guarded) -> None:
    access = replace(guarded.access, auth_files=())
    with (
        open_registry(guarded.address, access) as registry,
        pytest.raises(NetworkError, match="401") as told,
    ):
        registry.tags("any")
    assert f"skopeo login {guarded.address}" in told.value.faults[0].remedy


def test_a_wrong_password_is_told_with_its_file(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    write_auth(file, guarded.address, password="not this")
    with (
        open_registry(guarded.address, replace(guarded.access, auth_files=(file,))) as registry,
        pytest.raises(NetworkError) as told,
    ):
        registry.tags("any")
    assert str(file) in told.value.faults[0].remedy
    assert "not this" not in str(told.value)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(guarded: Guarded) -> None:
    with (
        open_registry(guarded.address, replace(guarded.access, ca=None)) as registry,
        pytest.raises(NetworkError, match="not trusted") as told,
    ):
        registry.tags("any")
    assert "--ca" in told.value.faults[0].remedy


def test_an_authority_below_certs_d_is_trusted(guarded: Guarded, tmp_path: Path) -> None:
    folder = tmp_path / guarded.address
    folder.mkdir()
    (folder / "own.crt").write_bytes(guarded.certificate.read_bytes())
    access = replace(guarded.access, ca=None, certificates=(tmp_path,))
    with open_registry(guarded.address, access) as registry:
        assert registry.tags("any") == ()


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    file.write_text("no certificate")
    with pytest.raises(UsageError) as told:
        open_registry("127.0.0.1:1", Access(ca=file))
    assert told.value.faults[0].place == str(file)


def test_a_registry_without_tls_is_spoken_to_only_when_that_is_said(tmp_path: Path) -> None:
    from tests.whole.registry import registry as plain

    with plain(tmp_path / "plain") as there:
        with (
            open_registry(there.address, Access(patience=QUICK)) as registry,
            pytest.raises(NetworkError, match="does not speak TLS"),
        ):
            registry.tags("any")
        with open_registry(f"http://{there.address}", Access(patience=QUICK)) as registry:
            assert registry.tags("any") == ()


def test_tokens_are_got_for_what_each_request_needs(tmp_path: Path, content: Path) -> None:
    with (
        token_registry(tmp_path / "tokens") as (guarded, given),
        open_registry(guarded.address, guarded.access) as registry,
    ):
        digest = push(registry, "tokens/from", content)
        assert registry.mount_blob("tokens/to", digest, "tokens/from")
        assert registry.has_blob("tokens/to", digest)
        assert registry.traffic.blob_bytes == content.stat().st_size
        registry.has_blob("tokens/to", digest)

        assert given == [
            ("repository:tokens/from:pull,push",),
            ("repository:tokens/to:pull,push", "repository:tokens/from:pull"),
            ("repository:tokens/to:pull",),
        ]


def test_a_blob_that_comes_out_other_than_it_should_is_not_kept(
    registry: Registry, content: Path, tmp_path: Path, guarded: Guarded
) -> None:
    digest = push(registry, "damaged/one", content)
    (data,) = guarded.registry.folder.glob(f"data/**/{digest.hex}/data")
    data.write_bytes(b"x" * data.stat().st_size)

    with pytest.raises(NetworkError, match=f"for {digest}"):
        registry.pull_blob("damaged/one", digest, tmp_path / "back")

    assert not (tmp_path / "back").exists()


def test_a_blob_of_another_size_than_was_said_is_not_sent(
    registry: Registry, content: Path
) -> None:
    digest = Digest.of(content.read_bytes())
    with pytest.raises(StoreError, match=str(digest)):
        registry.push_blob("damaged/two", digest, content, content.stat().st_size + 1)
    assert not registry.has_blob("damaged/two", digest)


def test_a_blob_that_was_damaged_here_is_not_sent(registry: Registry, content: Path) -> None:
    digest = Digest.of(content.read_bytes())
    content.write_bytes(content.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="its content is"):
        registry.push_blob("damaged/three", digest, content, content.stat().st_size)
    assert not registry.has_blob("damaged/three", digest)


def test_a_blob_that_is_missing_here_is_told_at_once(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        registry.push_blob("missing/one", Digest.of(b"x"), tmp_path / "none", 1)
