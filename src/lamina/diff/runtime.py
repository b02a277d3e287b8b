"""What containers of an image start with, and how that of two images differs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from lamina.model.image import Healthcheck, Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting that two images have differently; None where it is not set."""

    name: str  # `user`, `environment PATH`, `label maintainer`
    old: str | None
    new: str | None


def changed_settings(old: Runtime, new: Runtime) -> tuple[SettingChange, ...]:
    """Return how the settings differ, by name."""
    before, after = _settings(old), _settings(new)
    return tuple(
        SettingChange(name=name, old=before.get(name), new=after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _settings(runtime: Runtime) -> Mapping[str, str]:
    """Return every setting as a text, by name; a variable or label may be set and empty."""
    single = {
        "user": runtime.user,
        "entrypoint": shlex.join(runtime.entrypoint),
        "command": shlex.join(runtime.command),
        "volumes": " ".join(sorted(runtime.volumes)),
        "ports": " ".join(sorted(runtime.ports)),
        "stop signal": runtime.stop_signal,
        "working directory": runtime.working_dir,
        "health check": _healthcheck(runtime.healthcheck) if runtime.healthcheck else "",
    }
    return {
        **{name: text for name, text in single.items() if text},
        **{f"environment {name}": text for name, text in runtime.environment.items()},
        **{f"label {name}": text for name, text in runtime.labels.items()},
    }


def _healthcheck(check: Healthcheck) -> str:
    return (
        f"{shlex.join(check.command)} every {check.interval} s, timeout {check.timeout} s, "
        f"{check.retries} retries, after {check.start_period} s"
    )
