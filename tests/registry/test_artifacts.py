"""Small artifacts in a real registry."""

from __future__ import annotations

import shutil

import pytest
from tests.registry.guarded import Guarded

from lamina.model.digest import Digest
from lamina.oci.artifact import Artifact
from lamina.registry import open_registry
from lamina.registry.artifacts import get_artifact, put_artifact

pytestmark = pytest.mark.real

TYPE = "application/x.note"


def test_an_artifact_whose_content_was_lost_can_be_put_again(guarded: Guarded) -> None:
    place, note = ("artifacts/lost", "note"), Artifact(type=TYPE, content=b"a note")
    digest = Digest.of(note.content).hex
    with open_registry(guarded.address, guarded.access) as registry:
        put_artifact(registry, *place, note)
        assert get_artifact(registry, *place, TYPE) == note
        blobs = guarded.registry.folder / "data/docker/registry/v2/blobs/sha256"
        shutil.rmtree(blobs / digest[:2] / digest)

        with pytest.raises(ValueError, match="is not there"):
            get_artifact(registry, *place, TYPE)
        put_artifact(registry, *place, note)

        assert get_artifact(registry, *place, TYPE) == note
