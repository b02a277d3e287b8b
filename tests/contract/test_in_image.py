"""The contract in a really built image, with its own Python, sudo and certificates."""

from __future__ import annotations

import pytest
from tests.conftest import Workshop

pytestmark = pytest.mark.real

_AS_USER = """
as_user() { setpriv --reuid=kolla --regid=kolla --init-groups "$@"; }
cd /var/lib/kolla/config_files
"""
_CONFIG = """
echo hello > greeting
cat > config.json <<EOF
{
    "command": "cat /etc/proof/greeting",
    "config_files": [
        {"source": "$PWD/greeting", "dest": "/etc/proof/", "owner": "kolla", "perm": "0400"}
    ]
}
EOF
"""
_AUTHORITY = r"""
mkdir ca-certificates
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=proof -days 3 \
    -out ca-certificates/proof.pem 2>/dev/null
"""


def lines(built: Workshop, script: str) -> list[str]:
    """Run a script as root in the base image and return what it prints."""
    words = ("run", "base", "--", "bash", "-euc", _AS_USER + script)
    return built.lamina(*words).stdout.splitlines()


def test_a_user_starts_a_command_with_its_configuration(built: Workshop) -> None:
    script = (
        "export KOLLA_CONFIG_STRATEGY=COPY_ALWAYS; "
        "as_user dumb-init --single-child -- kolla_start; "
        "as_user sudo -E kolla_set_configs --check; "
        "stat -c '%a %U:%G' /etc/proof/greeting /run_command"
    )
    assert lines(built, _CONFIG + script) == [
        "kolla_start: cat /etc/proof/greeting",
        "hello",
        "400 kolla:kolla",
        "644 root:root",
    ]


@pytest.mark.parametrize("command", ["id", "bash /usr/local/bin/kolla_start", "-u nobody id"])
def test_sudo_is_for_the_contract_alone(built: Workshop, command: str) -> None:
    assert lines(built, f"as_user sudo -n {command} 2>&1 || echo refused")[-1] == "refused"


def test_an_environment_that_chooses_code_does_not_reach_root(built: Workshop) -> None:
    chosen = ("GCONV_PATH", "LOCPATH", "OPENSSL_CONF", "PYTHONPATH", "LD_AUDIT", "BASH_ENV")
    script = (
        "printf '#!/bin/sh\\nenv\\n' > /usr/local/bin/kolla_install_projects; "
        "chmod 0755 /usr/local/bin/kolla_install_projects; "
        f"KOLLA_BOOTSTRAP= PATH=/tmp:$PATH {' '.join(f'{name}=/tmp/x' for name in chosen)} "
        "as_user sudo -E kolla_install_projects"
    )
    told = dict(line.split("=", 1) for line in lines(built, script) if "=" in line)
    assert told["KOLLA_BOOTSTRAP"] == ""
    assert told["PATH"].startswith("/usr/local/sbin:")
    assert told.keys() & set(chosen) == set()


def test_an_authority_of_the_deployment_is_trusted(built: Workshop) -> None:
    script = (
        "as_user sudo -E kolla_copy_cacerts > /dev/null 2>&1; "
        "openssl verify -CApath /etc/ssl/certs ca-certificates/proof.pem"
    )
    assert lines(built, _AUTHORITY + script) == ["ca-certificates/proof.pem: OK"]
