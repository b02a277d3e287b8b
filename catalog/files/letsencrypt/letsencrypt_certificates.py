#!/usr/bin/python3 -IB
"""Obtain or renew a certificate by ACME, on the host that has the virtual address."""

from __future__ import annotations

import argparse
import ipaddress
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path("/etc/letsencrypt")
_HOOK = "/usr/bin/sync-and-update-certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One certificate, as the deployment asks for it."""

    which: str  # internal or external
    domains: tuple[str, ...]  # the first names the certificate
    days: int  # it is renewed when it is valid for no longer
    mail: str
    server: str
    key_type: str
    binding: tuple[str, str] | None  # key id and HMAC key of an account elsewhere
    haproxies: str  # host:port,host:port

    @property
    def folder(self) -> Path:
        """What lego keeps for it, the account included."""
        return _FOLDER / "lego" / self.which

    @property
    def certificate(self) -> Path:
        """The certificate with its key."""
        return self.folder / "certificates" / f"{self.domains[0]}.pem"


def leftovers(names: Iterable[str], domain: str) -> tuple[str, ...]:
    """Return those of lego's files that belong to other certificates than that of `domain`."""
    return tuple(name for name in sorted(names) if not name.startswith(f"{domain}."))


def names_in(text: str) -> frozenset[str]:
    """Return the domains in what openssl prints of a certificate's subjectAltName."""
    words = text.replace(",", " ").split()
    return frozenset(word[4:] for word in words if word.startswith("DNS:"))


def lego_command(wish: Wish, *, renew: bool) -> tuple[str, ...]:
    """Return lego's command for `wish`."""
    command = ["lego", "--email", wish.mail]
    if wish.key_type:
        command += ["--key-type", wish.key_type]
    for domain in wish.domains:
        command += ["--domains", domain]
    command += ["--server", wish.server, "--path", str(wish.folder), "--accept-tos", "--pem"]
    # Another container serves this folder.
    command += ["--http", "--http.webroot", str(_FOLDER / "http-01")]
    if wish.binding:
        command += ["--eab", "--kid", wish.binding[0], "--hmac", wish.binding[1]]
    action = "renew" if renew else "run"
    hook = f"{_HOOK} --{wish.which} --fqdn {wish.domains[0]} --haproxies-ssh {wish.haproxies}"
    command += [action, f"--{action}-hook", hook]
    if renew:
        command += ["--days", str(wish.days)]
    return tuple(command)


def obtain(wish: Wish) -> int:
    """Let lego obtain or renew the certificate, and return its exit status."""
    folder = wish.certificate.parent
    if folder.is_dir():
        for name in leftovers((path.name for path in folder.iterdir()), wish.domains[0]):
            log(f"{wish.domains[0]}: {name} belongs to another certificate: removed")
            (folder / name).unlink()
    renew = wish.certificate.exists()
    if renew:
        added = [name for name in wish.domains if name not in _domains_of(wish.certificate)]
        if added:
            # lego would renew it for the domains that it has.
            log(f"{wish.domains[0]}: obtained anew, for {', '.join(added)} as well")
            shutil.rmtree(folder)
            renew = False
    log(f"{wish.domains[0]}: {'renewing' if renew else 'obtaining'} the {wish.which} certificate")
    return subprocess.run(lego_command(wish, renew=renew), check=False).returncode


def _domains_of(certificate: Path) -> frozenset[str]:
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", str(certificate)]
    return names_in(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def here(address: str) -> bool:
    """Tell whether this host has `address`."""
    command = ["ip", "-json", "address", "show"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    wanted = ipaddress.ip_address(address.strip("[]"))
    return any(
        ipaddress.ip_address(info["local"]) == wanted
        for link in json.loads(shown)
        for info in link.get("addr_info", ())
        if "local" in info
    )


def log(message: str) -> None:
    """Print a line for the log."""
    print(f"{time.strftime('%Y/%m/%d %H:%M:%S')} [INFO] {message}", flush=True)


def wished(arguments: Sequence[str]) -> tuple[Wish, tuple[str, ...]]:
    """Return what the arguments ask for, and the virtual addresses."""
    # -h names the HAProxies.
    parser = argparse.ArgumentParser(
        prog="letsencrypt-certificates", description=__doc__, add_help=False, allow_abbrev=False
    )
    parser.add_argument("--help", action="help")
    which = parser.add_mutually_exclusive_group(required=True)
    for name in ("internal", "external"):
        which.add_argument(
            f"-{name[0]}", f"--{name}", dest="which", action="store_const", const=name
        )
    parser.add_argument("-f", "--fqdns", required=True, help="domains, with commas between them")
    parser.add_argument("-p", "--port", help="where the web server listens; taken, and not needed")
    parser.add_argument("-d", "--days", type=int, default=30, help="days left when it is renewed")
    parser.add_argument("-m", "--mail", required=True, help="who is told when it runs out")
    parser.add_argument("-a", "--acme", required=True, help="the ACME server's directory")
    parser.add_argument("-v", "--vips", required=True, help="addresses of the host that acts")
    parser.add_argument("-h", "--haproxies-ssh", required=True, help="host:port of each HAProxy")
    parser.add_argument("-k", "--key-type", default="", help="the type of the certificate's key")
    parser.add_argument("--eab", action="store_true", help="use an account elsewhere")
    parser.add_argument("--kid", help="the key id of that account")
    parser.add_argument("--hmac", help="the HMAC key of that account")
    given = parser.parse_args(arguments)
    if given.eab and not (given.kid and given.hmac):
        parser.error("--eab needs --kid and --hmac")
    wish = Wish(
        which=given.which,
        domains=tuple(name for name in given.fqdns.split(",") if name),
        days=given.days,
        mail=given.mail,
        server=given.acme,
        key_type=given.key_type,
        binding=(given.kid, given.hmac) if given.eab else None,
        haproxies=given.haproxies_ssh,
    )
    if not wish.domains:
        parser.error("--fqdns names no domain")
    return wish, tuple(address for address in given.vips.split(",") if address)


def main(arguments: Sequence[str]) -> int:
    """Return 0 when there is a certificate or another host cares for it, 1 when lego failed."""
    wish, addresses = wished(arguments)
    if not any(here(address) for address in addresses):
        log(f"{wish.domains[0]}: another host has the virtual address; nothing to do")
        return 0
    status = obtain(wish)
    # They are brought to the other hosts by haproxy.
    subprocess.run(["chown", "-R", "haproxy:haproxy", str(_FOLDER / "lego")], check=True)
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
