"""No image holds a secret, or what must be every machine's own: all layers are read.

With LAMINA_SECRETS=all the whole catalogue is built and read, which takes minutes.
"""

from __future__ import annotations

import base64
import io
import os
import tarfile
from pathlib import Path

import pytest
from tests.conftest import Workshop
from tests.whole.conftest import Fleet
from tests.whole.leaks import (
    SORTS,
    Layer,
    Secret,
    known_secrets,
    layers_of,
    secrets,
    secrets_of_layer,
    secrets_of_store,
)

pytestmark = pytest.mark.real

WHOLE = os.environ.get("LAMINA_SECRETS") == "all"
KNOWN = known_secrets()


def unknown(found: tuple[Secret, ...]) -> list[str]:
    return [str(one) for one in found if not any(known.covers(one) for known in KNOWN)]


def test_no_image_of_the_fleet_holds_a_secret(built: Workshop) -> None:
    if WHOLE:
        # An artifact that cannot be had here ends it with 4; the rest of the fleet is there.
        assert built.lamina("build", "--no-test", code=None).returncode in (0, 4)
    layers, environments = layers_of(built.store)

    found = secrets_of_store(built.store)

    assert unknown(found) == []
    assert {layer.made for layer in layers} == {True, False}
    assert any(variable.startswith("PATH=") for variable in environments)
    if WHOLE:
        unused = [known.pattern for known in KNOWN if not any(map(known.covers, found))]
        assert unused == [], "nothing is known that is not there"


BODY = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n"
JWT = b".".join(
    base64.urlsafe_b64encode(part).rstrip(b"=")
    for part in (b'{"alg":"HS256"}', b'{"sub":"somebody"}', bytes(range(32)))
)
HASH = b"./0123456789" + b"abcdefghij" * 8

# What is planted, where, and what it must be taken for: each sort of secret in every form.
PLANTED = [
    ("srv/key", b"-----BEGIN PRIVATE KEY-----\n" + BODY, "a private key"),
    ("srv/key", b"# note\n-----BEGIN OPENSSH PRIVATE KEY-----\r\n" + BODY, "a private key"),
    ("srv/key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + BODY, "a private key"),
    (
        "srv/key",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + BODY,
        "a private key",
    ),
    (
        "root/key.asc",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n" + BODY,
        "a private key",
    ),
    ("srv/a\\b.pem", b"\0\xff-----BEGIN EC PRIVATE KEY-----\n" + BODY, "a private key"),
    (
        "srv/key",
        b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: PRIVATE KEY\n" + BODY,
        "a private key",
    ),
    ("srv/key.ppk", b"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n", "a private key"),
    ("srv/ours.gpg", b"\x95\x03\x98\x04" + bytes(40), "a private key"),
    ("srv/ours.pgp", b"\xc5\x58\x04" + bytes(40), "a private key"),
    ("srv/java", b"\xfe\xed\xfe\xed\0\0\0\2", "a store of keys"),
    ("srv/app.p12", b"whatever", "a store of keys"),
    ("etc/ssh/ssh_host_ed25519_key", b"x", "an SSH host key"),
    ("etc/ssh/ssh_host_rsa_key.pub", b"ssh-rsa x", "an SSH host key"),
    ("root/.ssh/id_ed25519", b"x", "a user's SSH key"),
    ("root/.ssh/authorized_keys", b"ssh-rsa x", "a user's SSH key"),
    ("etc/machine-id", b"0123456789abcdef\n", "a machine id"),
    ("etc/hostname", b"buildhost\n", "a machine id"),
    ("etc/iscsi/initiatorname.iscsi", b"InitiatorName=x", "an initiator name"),
    ("etc/nvme/hostnqn", b"nqn", "an initiator name"),
    ("var/lib/rabbitmq/.erlang.cookie", b"QWERTY", "a cookie"),
    ("var/lib/pcsd/pcsd.cookiesecret", b"x", "a cookie"),
    ("etc/corosync/authkey", b"x", "an authkey"),
    ("etc/bind/rndc.key", b'key "rndc-key" {};', "an authkey"),
    ("var/lib/pcsd/known-hosts", b"{}", "a token"),
    ("root/.netrc", b"machine x", "a token"),
    ("srv/session", JWT, "a token"),
    ("srv/session", b"x=AKIA" + b"A1" * 8, "a token"),
    ("srv/session", b"x=ghp_" + b"a1" * 18, "a token"),
    ("srv/session", b"x=glpat-" + b"a1" * 10, "a token"),
    ("srv/session", b"x=xoxb-" + b"12" * 6, "a token"),
    ("srv/session", b"gAAAA" + b"Bm1_-" * 16, "a token"),
    ("etc/ssl/private/ssl-cert-snakeoil.key", b"x", "a snakeoil certificate"),
    ("etc/ssl/certs/ssl-cert-snakeoil.pem", b"x", "a snakeoil certificate"),
    ("var/lib/systemd/random-seed", b"x", "a random seed"),
    ("root/.rnd", b"x", "a random seed"),
    ("var/lib/systemd/credential.secret", b"x", "a secret of the machine"),
    ("etc/keystone/fernet-keys/0", b"x", "a secret of the machine"),
    ("var/lib/postgresql/.pgpass", b"x", "a user's password"),
    ("root/.gnupg/private-keys-v1.d/x.key", b"(x)", "a GnuPG key"),
    ("root/.bash_history", b"ls\n", "a history of commands"),
    (
        "etc/ceph/ceph.client.admin.keyring",
        b"[client]\n\tkey = AQ" + b"Ab0+" * 9 + b"Q==\n",
        "a key of Ceph",
    ),
    (
        "etc/shadow",
        b"daemon:*:1::::::\nroot:secretword:1::::::\n",
        "a password, or none where one is asked for",
    ),
    (
        "etc/shadow",
        b"root:*:1::::::\nguest::1::::::\n",
        "a password, or none where one is asked for",
    ),
    (
        "etc/gshadow",
        b"root:*::\nstaff:secretword::\n",
        "a password, or none where one is asked for",
    ),
    *(
        ("srv/users", b"somebody:" + crypted + b"\n", "a password's hash")
        for crypted in (
            b"$1$salt$" + HASH[:22],
            b"$5$rounds=5000$salt$" + HASH[:43],
            b"$6$salt$" + HASH[:86],
            b"$apr1$salt$" + HASH[:22],
            b"$2y$05$" + HASH[:53],
            b"$y$j9T$salt$" + HASH[:43],
            b"$argon2id$v=19$m=65536,t=3,p=4$" + HASH[:22],
        )
    ),
    *(
        (path, text, "a secret value")
        for path, text in (
            ("etc/app.conf", b"x = y\nsecret_key = 4f1c9a77e02b\n"),
            ("etc/app", b"ADMIN_PASSWORD: 'Xa8fk2Lq0PzM'\n"),
            ("srv/app.json", b'{"user": "x", "auth-token": "9Zk3mQ7xWc1v"}'),
            ("srv/site.xml", b"<conf><password>9Zk3mQ7xWc1v</password></conf>"),
            ("srv/wg.conf", b"PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"),
            ("opt/run.env", b"export COOKIE=9Zk3mQ7xWc1v\n"),
        )
    ),
]
HARMLESS = [
    ("etc/machine-id", b""),
    ("etc/shadow", b"root:*:1::::::\nmysql:!:1::::::\n"),
    ("etc/shadow", b"root:!*:1::::::\n"),
    ("usr/lib/libssl.so", b"\0-----BEGIN PRIVATE KEY-----\0-----END"),
    ("usr/share/doc/x", b"-----BEGIN PRIVATE KEY-----\n...\n"),
    ("srv/x.pyc", b"-----BEGIN PRIVATE KEY-----\n" + BODY),
    ("srv/x.gpg", b"\x99\x01\xa2\x04" + bytes(40)),  # a public key
    ("srv/cert.der", b"0\x82\x03\x0f0\x82\x01\xf7\xa0\x03\x02\x01\x02"),  # a certificate
    ("srv/x.js", b"a=b.replace('$1$'+c,'$2')"),
    ("srv/x", b"$ID$some$6$text"),
    ("etc/app.conf", b"# secret_key = 4f1c9a77e02b\n ; token = 4f1c9a77e02b\n"),
    ("etc/app.conf", b"password_file = /etc/app/password1234\n"),
    ("etc/app.conf", b"token_provider = fernet-version-2\n"),
    ("etc/app.conf", b"password = changeme\nsecret = $dir/private/key1234\n"),
    ("srv/session", b"eyJhbGciOiJIUzI1NiJ9"),
    ("root/.bashrc", b"ls\n"),
]


@pytest.mark.parametrize(("path", "content", "what"), PLANTED)
def test_a_planted_secret_is_found(path: str, content: bytes, what: str) -> None:
    assert what in tuple(secrets(path, content, made=True))


@pytest.mark.parametrize(("path", "content"), HARMLESS)
def test_what_only_looks_like_a_secret_is_none(path: str, content: bytes) -> None:
    assert tuple(secrets(path, content, made=True)) == ()


def test_every_sort_of_secret_is_planted_once_at_least() -> None:
    assert {what for _, _, what in PLANTED} == SORTS


def test_a_value_in_what_is_no_configuration_counts_only_if_the_build_made_it() -> None:
    text = b"secret_key = 4f1c9a77e02b\n"

    assert tuple(secrets("usr/share/doc/x/README", text, made=False)) == ()
    assert tuple(secrets("srv/README", text, made=True)) == ("a secret value",)


def test_a_key_that_comes_in_a_package_must_be_known_with_its_reason(tmp_path: Path) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\n" + BODY
    with tarfile.open(tmp_path / "layer.tar.gz", "w:gz") as archive:
        for path in ("usr/lib/python3/dist-packages/tornado/test/test.key", "usr/lib/other.key"):
            member = tarfile.TarInfo(path)
            member.size = len(key)
            archive.addfile(member, io.BytesIO(key))

    found = secrets_of_layer(Layer(path=tmp_path / "layer.tar.gz", made=False))

    assert len(found) == 2
    assert unknown(found) == ["usr/lib/other.key: a private key"]


CARELESS = """
images:
  careless:
    parent: base
    environment: {APP_TOKEN: 9Zk3mQ7xWc1v}
    steps:
      - |
        mkdir /srv/keys
        cd /srv/keys
        for kind in RSA EC ED25519; do
            curve=""
            [ $kind != EC ] || curve="-pkeyopt ec_paramgen_curve:P-256"
            openssl genpkey -quiet -algorithm $kind $curve -out $kind.pem
            openssl pkey -in $kind.pem -outform DER -out $kind.der
            openssl pkcs8 -topk8 -in $kind.pem -outform DER -passout pass:x -out $kind-encrypted.der
        done
        openssl rsa -in RSA.pem -traditional -outform DER -out RSA-traditional.der
        openssl ec -in EC.pem -outform DER -out EC-traditional.der
        openssl req -x509 -key EC.pem -subj /CN=x -out certificate.pem
        openssl x509 -in certificate.pem -outform DER -out certificate.der
        openssl pkcs12 -export -inkey EC.pem -in certificate.pem -passout pass:x -out all.bin
        openssl pkey -in RSA.pem -pubout -out public.pem
        rm RSA.pem ED25519.pem
      - usermod --password "$(openssl passwd -6 x)" kolla
      - echo "session-token = $(openssl rand -hex 16)" > /srv/settings
"""


def test_what_a_careless_build_leaves_is_found_in_its_image(fleet: Fleet) -> None:
    fleet.write(CARELESS)
    fleet.lamina("lock")
    fleet.build("careless")

    found = unknown(secrets_of_store(fleet.workshop.store))

    assert found == [
        "$ APP_TOKEN=9Zk3mQ7xWc1v: a secret value",
        "etc/shadow: a password's hash",
        "etc/shadow: a password, or none where one is asked for",
        "srv/keys/EC-encrypted.der: a private key",
        "srv/keys/EC-traditional.der: a private key",
        "srv/keys/EC.der: a private key",
        "srv/keys/EC.pem: a private key",
        "srv/keys/ED25519-encrypted.der: a private key",
        "srv/keys/ED25519.der: a private key",
        "srv/keys/RSA-encrypted.der: a private key",
        "srv/keys/RSA-traditional.der: a private key",
        "srv/keys/RSA.der: a private key",
        "srv/keys/all.bin: a store of keys",
        "srv/settings: a secret value",
    ]
