"""The scripts of a pipeline's jobs, in bash: the same in every system.

Nothing is put into their text: what differs comes by the environment, and is quoted. They run with
`-eo pipefail`. Names of images hold letters, digits and hyphens, and are read into an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from lamina.ci.request import Request, written

STORE = "lamina-store"
VENV = "lamina-venv"
DIGESTS = "lamina.digests.json"
PLAN = "lamina.plan.json"

LOGS = f"{STORE}/logs"
_KEPT = ("built", "deltas", "downloads", "format", "layers", "oci", "runs")

PACKAGES = """\
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends ca-certificates debian-archive-keyring git gnupg \\
    mmdebstrap python3-venv skopeo xz-utils zstd
"""

INSTALL = f"""\
python3 -m venv {VENV}
{VENV}/bin/pip install -- "$LAMINA_REQUIREMENT"
"""

LOCK = """\
if [[ $LAMINA_UPDATE == true ]]; then
    lamina lock --update
elif [[ -e $LAMINA_LOCK ]]; then
    lamina lock --check
else
    lamina lock
fi
"""

_IMAGES = """\
read -ra images <<<"$LAMINA_IMAGES"
"""

# The password goes through a pipe, into REGISTRY_AUTH_FILE.
SIGN_IN = """\
printf '%s' "$LAMINA_REGISTRY_PASSWORD" |
    skopeo login --username "$LAMINA_REGISTRY_USER" --password-stdin "$LAMINA_REGISTRY_HOST"
"""

# A file that only root reads, gone when the script ends. No password goes over the wire in clear.
LOGIN = f"""\
if [[ -n ${{LAMINA_REGISTRY_PASSWORD:-}} && $LAMINA_REGISTRY != http://* ]]; then
    login=$(mktemp -d)
    trap 'rm -rf "$login"' EXIT
    export REGISTRY_AUTH_FILE=$login/auth.json
{indent(SIGN_IN, "    ")}fi
"""

BUILD = f"""\
{_IMAGES}lamina build "${{images[@]}}"
"""

SHARE = f"""\
{_IMAGES}lamina publish "${{images[@]}}" --to "$LAMINA_CACHE"
"""

PUBLISH = f"""\
{_IMAGES}lamina publish "${{images[@]}}" --due --to "$LAMINA_REGISTRY" --names "$LAMINA_NAMES" \\
    --digests {DIGESTS}
"""

TIDY = """\
lamina gc
"""


def plan(request: Request) -> str:
    """Return the script that shows the plan; what the shared cache has need not be built."""
    return f"{_IMAGES}{_plan(request)}\n"


def decide(request: Request) -> str:
    """Return the script that shows the plan, and sets `changed` to `true` or `false`.

    What is only to be pulled is no work for a group: the job that publishes pulls it, too.
    """
    return f"""\
{plan(request)}{_plan(request)} --json >{PLAN}
changed=false
if grep -qE '"action": "(build|test)"' {PLAN}; then
    changed=true
fi
"""


def _plan(request: Request) -> str:
    return 'lamina plan "${images[@]}"' + (" --cached" if request.cache else "")


def kept(request: Request) -> tuple[str, ...]:
    """Return what of a store is worth keeping between runs.

    Trees of units and deltas that were copied are not what a store takes for its own: it makes
    them again. From the shared cache it gets deltas that it does, so finished images stay there.
    """
    names = ("downloads", "format") if request.cache else _KEPT
    return tuple(f"{STORE}/{name}" for name in names)


def environment(request: Request) -> Mapping[str, str]:
    """Return what all jobs have in their environment, secrets aside."""
    given = {
        "LAMINA_REQUIREMENT": request.requirement,
        "LAMINA_CATALOG": ":".join(request.catalogs),
        "LAMINA_DISTRO": request.distro,
        "LAMINA_LOCK": request.lock,
        "LAMINA_STORE": STORE,
        "LAMINA_REGISTRY": written(request.registry),
        "LAMINA_REGISTRY_HOST": request.registry.host,
        "LAMINA_CACHE": written(request.cache) if request.cache else "",
        "LAMINA_NAMES": request.names,
    }
    return {name: text for name, text in given.items() if text}
