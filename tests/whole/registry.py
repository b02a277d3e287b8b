"""A real registry on the loopback, with all that it holds in one folder."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.whole.engines import run

_CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"{http}}}
{auth}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Debian's docker-registry, listening."""

    folder: Path
    address: str

    def push(self, layout: Path, name: str) -> str:
        """Send the image that a layout has under `name`, and return its reference."""
        reference = f"{self.address}/{name.replace(':', '/')}:proof"
        run(
            [
                *("skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"),
                *(f"oci:{layout}:{name}", f"docker://{reference}"),
            ]
        )
        return reference

    def blobs(self) -> Mapping[str, int]:
        """Return the size in bytes of everything that the registry holds, by digest."""
        found = (self.folder / "data").glob("docker/registry/v2/blobs/sha256/*/*/data")
        return {f"sha256:{data.parent.name}": data.stat().st_size for data in found}

    def tags(self) -> Mapping[str, str]:
        """Return the digest that every tag in the registry points at, by `REPOSITORY:TAG`."""
        root = self.folder / "data/docker/registry/v2/repositories"
        links = root.glob("**/_manifests/tags/*/current/link")
        return {
            f"{link.parents[4].relative_to(root)}:{link.parents[1].name}": link.read_text()
            for link in links
        }

    def unresolved(self) -> list[str]:
        """Return the tags whose manifest is not there, or not with all its blobs."""
        root = self.folder / "data/docker/registry/v2/repositories"
        blobs = self.blobs()
        found = []
        for name, digest in self.tags().items():
            repository = root / name.rpartition(":")[0]
            data = self._data(digest)
            if not data.exists() or not self._link(repository / "_manifests/revisions", digest):
                found.append(name)
                continue
            manifest = json.loads(data.read_text())
            for part in (manifest["config"], *manifest["layers"]):
                linked = self._link(repository / "_layers", part["digest"])
                if not linked or blobs.get(part["digest"]) != part["size"]:
                    found.append(name)
        return found

    def _data(self, digest: str) -> Path:
        hex_ = digest.removeprefix("sha256:")
        return self.folder / f"data/docker/registry/v2/blobs/sha256/{hex_[:2]}/{hex_}/data"

    def _link(self, folder: Path, digest: str) -> bool:
        return (folder / digest.replace(":", "/") / "link").exists()


@contextmanager
def registry(folder: Path, *, http: str = "", auth: str = "") -> Iterator[Registry]:
    """Give a registry whose state is in `folder`; `http` and `auth` go into its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = folder / "config.yml"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, address=address, http=http, auth=auth)
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)], stdout=log, stderr=log
        )
    try:
        _wait_for(address, process)
        yield Registry(folder=folder, address=address)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, "the registry ended: see its log"
        assert time.monotonic() < deadline, "the registry does not listen"
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
