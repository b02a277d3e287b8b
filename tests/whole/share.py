"""Catalogues laid over the default one that leave images out: to solve them all takes long."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import yaml

from lamina.catalog import default_folder, load_catalog


def leave_out(folder: Path, names: Collection[str], distro: str) -> None:
    """Write into the catalogue at `folder` that `distro` cannot have these images."""
    change = {"change": {"distros": {"append": {distro: "not in this share"}}}}
    file = folder / "infra" / "share.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"images": dict.fromkeys(sorted(names), change)}))


def keep_only(folder: Path, share: Collection[str], distro: str) -> None:
    """Leave out all default images but `share`, which stand on each other or on nothing."""
    catalog = load_catalog([default_folder()], distro)
    others = [image for image in catalog.images if str(image.id) not in share]
    leave_out(folder, {image.id.name for image in others if str(image.parent) in share}, distro)
