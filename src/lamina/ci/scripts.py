"""The scripts of a pipeline's jobs, in bash: the same in every system.

Nothing is put into their text: what differs comes by the environment, and is quoted. They run with
`-eo pipefail`. Names of images hold letters, digits and hyphens, and are read into an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from lamina.ci.request import Request

STORE = "lamina-store"
VENV = "lamina-venv"
DIGESTS = "lamina.digests.json"

# What of a store is worth keeping. Trees of units are made again from the downloads: no archive
# brings them back as they were, and the store would not take them for its own.
KEPT = tuple(
    f"{STORE}/{name}"
    for name in ("built", "deltas", "downloads", "format", "layers", "oci", "runs")
)
LOGS = f"{STORE}/logs"

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

SHOW_PLAN = """\
read -ra images <<<"$LAMINA_IMAGES"
lamina plan "${images[@]}"
"""

# Exit code 2 of `--detailed-exitcode` means changes; that of a wrong catalogue comes up before.
PLAN = f"""\
{SHOW_PLAN}code=0
lamina plan "${{images[@]}}" --detailed-exitcode >/dev/null || code=$?
case $code in
    0) changed=false ;;
    2) changed=true ;;
    *) exit "$code" ;;
esac
"""

# The password goes through a pipe, into REGISTRY_AUTH_FILE.
SIGN_IN = """\
printf '%s' "$LAMINA_REGISTRY_PASSWORD" |
    skopeo login --username "$LAMINA_REGISTRY_USER" --password-stdin "${LAMINA_REGISTRY%%/*}"
"""

# A file that only root reads, gone when the script ends.
LOGIN = f"""\
if [[ -n ${{LAMINA_REGISTRY_PASSWORD:-}} ]]; then
    login=$(mktemp -d)
    trap 'rm -rf "$login"' EXIT
    export REGISTRY_AUTH_FILE=$login/auth.json
{indent(SIGN_IN, "    ")}fi
"""

BUILD = """\
read -ra images <<<"$LAMINA_IMAGES"
lamina build "${images[@]}"
"""

SHARE = """\
read -ra images <<<"$LAMINA_IMAGES"
lamina publish "${images[@]}" --to "$LAMINA_CACHE"
"""

PUBLISH = f"""\
read -ra images <<<"$LAMINA_IMAGES"
lamina publish "${{images[@]}}" --due --to "$LAMINA_REGISTRY" --names "$LAMINA_NAMES" \\
    --digests {DIGESTS}
"""

TIDY = """\
lamina gc
"""


def environment(request: Request) -> Mapping[str, str]:
    """Return what all jobs have in their environment, secrets aside."""
    given = {
        "LAMINA_REQUIREMENT": request.requirement,
        "LAMINA_CATALOG": ":".join(request.catalogs),
        "LAMINA_DISTRO": request.distro,
        "LAMINA_LOCK": request.lock,
        "LAMINA_STORE": STORE,
        "LAMINA_REGISTRY": request.registry,
        "LAMINA_CACHE": request.cache,
        "LAMINA_NAMES": request.names,
    }
    return {name: text for name, text in given.items() if text}
