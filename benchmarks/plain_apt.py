"""Plain apt-get in the same sandbox over the same parent: what lamina is measured against."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from lamina.backends.deb.install import PACKAGES, account_calls, environment
from lamina.backends.deb.solver_root import HOME
from lamina.build.image import Job
from lamina.engine import finish, sandbox
from lamina.engine.sandbox import Bind, Call, Result, Sandbox
from lamina.store.store import Store

_APT = "/tmp/.lamina/apt"
_DENY = (
    "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 0755 /usr/sbin/policy-rc.d"
)


def plain_install(job: Job, store: Store, root: Path, work: Path) -> tuple[Sandbox, float]:
    """Install the image's packages by apt-get over its parent; return the sandbox and seconds.

    The packages are downloaded already, the indices are those of the solver's `root`, and apt's
    cache of them is made. The time is apt-get's own. What lamina does besides installing
    (accounts, files, rules) is done as well.
    """
    archives = work / "archives"
    (archives / "partial").mkdir(parents=True)
    for ref in job.units.values():
        version = ref.version.replace(":", "%3a")
        name = f"{ref.name}_{version}_{ref.architecture}.deb"
        (archives / name).symlink_to(f"{PACKAGES}/{ref.digest.hex}")
    folder = work / "plain"
    folder.mkdir()
    box = Sandbox(
        lowers=job.stack.lowers,
        folder=folder,
        binds=(
            Bind(source=store.downloads, target=PACKAGES),
            Bind(source=archives, target=f"{_APT}/archives", read_only=False),
            Bind(source=root / "var/lib/apt/lists", target=f"{_APT}/lists"),
            Bind(source=root / HOME / "sources", target=f"{_APT}/sources"),
            *finish.file_binds(job.image.files),
        ),
    )
    sandbox.prepare(box)
    variables = environment(job.epoch)
    options = (
        "Debug::NoLocking=1",
        "APT::Sandbox::User=root",
        f"Dir::Cache::archives={_APT}/archives",
        f"Dir::State::lists={_APT}/lists",
        "Dir::Etc::sourcelist=/dev/null",
        f"Dir::Etc::sourceparts={_APT}/sources",
    )
    places = tuple(word for option in options for word in ("-o", option))
    # As `apt-get update` leaves it behind in every image build.
    cache = Call(argv=("apt-cache", "gencaches", *places), environment=variables, title="cache")
    install = Call(
        argv=(
            *("apt-get", "install", "-y", "-q", "--no-install-recommends", "--no-download"),
            *places,
            # As lamina and every image build does: what is written is thrown away on a crash.
            *("-o", "DPkg::Options::=--force-unsafe-io"),
            *(f"{ref.name}={ref.version}" for ref in job.units.values()),
        ),
        environment=variables,
        title="apt-get install",
    )
    calls = (
        Call(argv=("/bin/sh", "-euc", _DENY), environment=variables, title="deny services"),
        *account_calls(job.image.groups, job.image.users, variables),
        *((cache, install) if job.units else ()),
        Call(argv=("rm", "-f", "/usr/sbin/policy-rc.d"), environment=variables, title="allow"),
        *finish.finish_calls(job.image, job.rules, variables),
    )
    results = sandbox.run(box, calls, log=work / "plain.log", stop=Event())
    if len(results) < len(calls) or not results[-1].good:
        raise AssertionError((work / "plain.log").read_text()[-3000:])
    return box, _seconds(calls, results)


def _seconds(calls: tuple[Call, ...], results: tuple[Result, ...]) -> float:
    pairs = zip(calls, results, strict=True)
    return sum(result.seconds for call, result in pairs if call.title == "apt-get install")
