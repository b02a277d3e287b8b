"""Decisions of a build are tested without one; proofs run over the engine's small root."""

from tests.engine.conftest import bench as bench
from tests.engine.conftest import root as root
