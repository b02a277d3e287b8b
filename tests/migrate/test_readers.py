"""What is a reference to an image, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.migrate.fleet import fleet, names

from lamina.errors import UsageError
from lamina.migrate.edit import Found, apply_edits
from lamina.migrate.names import Names
from lamina.migrate.readers import read
from lamina.model.catalog import Catalog
from lamina.model.names import Scheme

COMPOSED = "{{ docker_namespace }}/{{ kolla_base_distro }}-{{ %s_install_type }}-%s"


def after(text: str, *, path: str = "notes.txt", scheme: Scheme = Scheme.SPLIT) -> str:
    """Return the text with its edits; nothing may be undecided."""
    found = read(path, text, names(scheme))
    assert found.undecided == ()
    return apply_edits(text, found.edits)


def undecided(text: str, *, path: str = "notes.txt") -> tuple[str, ...]:
    """Return what is undecided in a text that has no edits."""
    found = read(path, text, names())
    assert found.edits == ()
    return tuple(fault.message for fault in found.undecided)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("centos-binary-cron", "centos-cron"),
        ("ubuntu-source-cron", "ubuntu-cron"),
        ("registry:5000/kolla/rhel-source-redis:train", "registry:5000/kolla/rhel-redis:train"),
        ("kolla/debian-binary-mariadb:8", "kolla/debian-mariadb-server:8"),
        ("debian-source-nova-libvirt", "debian-libvirt"),
        ("debian-infra-cron", "debian-cron"),
        ("docker://host/kolla/centos-binary-cron:1", "docker://host/kolla/centos-cron:1"),
        ("see centos-binary-cron.", "see centos-cron."),
        ("`centos-binary-cron`", "`centos-cron`"),
        ("**centos-binary-cron**", "**centos-cron**"),
        ('"centos-binary-cron"', '"centos-cron"'),
        ("image=kolla/centos-binary-cron,x", "image=kolla/centos-cron,x"),
        ("${NAMESPACE}/centos-binary-cron", "${NAMESPACE}/centos-cron"),
        ("centos-binary-cron\\\n  next", "centos-cron\\\n  next"),
    ],
)
def test_an_infra_image_loses_its_type(old: str, new: str) -> None:
    assert after(old) == new


@pytest.mark.parametrize(
    "text",
    [
        "kolla/centos-source-nova-api:train",
        "centos-binary-somebodys-own",
        "job-centos-source-redis",  # the end of a longer name
        "centos-source-redis-job",
        "centos-binary-cron_old",
        "centos-binary-cron.tar",
        "centos-binary-cron.example.org",
        "centos-binary-cron:5000/kolla/debian-cron",  # the registry's host
        "centos-binary-cron/debian-cron:1",  # the namespace
        "/srv/images/centos-binary-cron",
        "./centos-binary-cron",
        "-v /data/centos-binary-cron:/data",
        "-v centos-binary-cron:/data",  # a volume
        "root@centos-binary-cron",
        "centos-cron",
        "Centos-binary-cron",
        "xcentos-binary-cron",
    ],
)
def test_what_only_looks_like_an_image_is_left_alone(text: str) -> None:
    assert after(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "centos-binary-cron@sha256:0123",
        "centos-binary-cron:train@sha256:0123",
        "https://hub.example.org/r/kolla/centos-binary-cron",
        "$FOLDER/centos-binary-cron",
        "$PREFIX/centos-binary-cron",
        "$IMAGE_DIR/centos-binary-cron",
        "centos-binary-redis*",
        "centos-binary-$NAME",
        "grep centos-binary- names",
        "${BASE}-${TYPE}-cron",
        "${BASE}-source-cron",
        "f'{distro}-{kind}-cron'",
        "'{}-{}-cron'.format(distro, kind)",
        "'%s-binary-cron' % distro",
        "centos-%(kind)s-cron",
        "<distro>-binary-cron",
        "centos-<type>-cron",
        "grep '.*-source-cron'",
        "(centos|debian)-binary-cron",
        "{{ .Values.distro }}-{{ .Values.type }}-cron",
        "{{ .Values.distro }}-source-cron",
        '"$BASE"-binary-cron',
        "distro + '-source-cron'",
    ],
)
def test_what_cannot_be_decided_is_said(text: str) -> None:
    assert len(undecided(text)) == 1


@pytest.mark.parametrize(
    ("variable", "image", "new"),
    [
        ("common", "cron", "cron"),
        ("common", "fluentd", "fluentd"),
        ("ironic", "dnsmasq", "dnsmasq"),
        ("monasca", "monasca-grafana", "monasca-grafana"),
        ("nova", "nova-libvirt", "libvirt"),
        ("kolla", "redis", "redis"),
    ],
)
def test_the_image_decides_and_not_the_variable(variable: str, image: str, new: str) -> None:
    old = f'x_image: "{COMPOSED % (variable, image)}"\n'
    expected = f'x_image: "{{{{ docker_namespace }}}}/{{{{ kolla_base_distro }}}}-{new}"\n'
    assert after(old, path="defaults/main.yml") == expected


@pytest.mark.parametrize(
    ("variable", "image"),
    [
        ("common", "kolla-toolbox"),
        ("ironic", "ironic-api"),
        ("monasca", "monasca-api"),
        ("nova", "nova-ssh"),
        ("own", "somebodys-own"),
    ],
)
def test_an_openstack_image_of_a_mixed_variable_stays(variable: str, image: str) -> None:
    old = f'x_image: "{COMPOSED % (variable, image)}"\n'
    assert after(old, path="defaults/main.yml") == old


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{{ kolla_base_distro }}-source-cron", "{{ kolla_base_distro }}-cron"),
        ("centos-{{ x_install_type }}-cron", "centos-cron"),
        ("{{kolla_base_distro}}-{{x_install_type|lower}}-cron:1", "{{kolla_base_distro}}-cron:1"),
        (
            "{{ kolla_base_distro | default('a }} b') }}-{{ x_install_type }}-cron",
            "{{ kolla_base_distro | default('a }} b') }}-cron",
        ),
        (
            "{% if a %}centos-binary-cron{% else %}b{% endif %}",
            "{% if a %}centos-cron{% else %}b{% endif %}",
        ),
        ("{{ 'centos-binary-cron' if a else 'b' }}", "{{ 'centos-cron' if a else 'b' }}"),
        ("{# centos #}centos-binary-cron", "{# centos #}centos-cron"),
        ("a\r\n{{ b }}\r\ncentos-binary-cron\r\n", "a\r\n{{ b }}\r\ncentos-cron\r\n"),
    ],
)
def test_the_structure_of_a_template_is_understood(old: str, new: str) -> None:
    assert after(old, path="file.j2") == new


@pytest.mark.parametrize(
    "text",
    [
        "{{ kolla_base_distro }}-{{ x_install_type }}-{{ item }}",
        "{{ kolla_base_distro }}-{{ x_install_type }}-{% if a %}cron{% endif %}",
        "{{ kolla_base_distro }}-{{ sort }}-cron",
        "centos-{{ sort }}-cron",
        "{{ distribution }}-{{ x_install_type }}-cron",
        "{{ kolla_base_distro ~ '-' ~ kolla_install_type }}-cron",
        "{{ kolla_base_distro ~ '-' ~ kolla_install_type ~ '-cron' }}",
        "{{ kolla_base_distro }}-{% if a %}binary{% else %}source{% endif %}-cron",
        "{{ kolla_base_distro }}-{{ x_install_type }}-redis{{ suffix }}",
        "{{ a_base_distro | default('centos-binary-cron') }}-{{ b_install_type }}-redis",
        "{{ config_folder }}/centos-binary-cron",
    ],
)
def test_what_a_template_computes_is_not_guessed(text: str) -> None:
    assert undecided(text, path="file.j2")


def test_comments_and_layout_of_yaml_stay() -> None:
    old = """\
# centos-binary-cron was its name
b:   'kolla/centos-binary-cron:1'   # so: centos-binary-cron
a: >-
   kolla/centos-binary-redis:1
   and more
list: [centos-source-redis,  &x "centos-source-nova-api", *x]
"""
    new = """\
# centos-binary-cron was its name
b:   'kolla/centos-cron:1'   # so: centos-binary-cron
a: >-
   kolla/centos-redis:1
   and more
list: [centos-redis,  &x "centos-source-nova-api", *x]
"""
    assert after(old, path="globals.yml") == new


def test_variables_of_a_group_need_no_suffix() -> None:
    old = "# centos-binary-cron\na: centos-binary-cron\n"
    assert after(old, path="group_vars/all") == "# centos-binary-cron\na: centos-cron\n"


def test_what_is_named_in_a_comment_is_told_of() -> None:
    found = read("globals.yml", "a: b\n# centos-binary-cron\n", names())
    assert [(one.line, one.name, one.reason) for one in found.kept] == [(2, "cron", "in a comment")]


def test_a_key_that_is_an_image_is_not_renamed() -> None:
    assert undecided("tags: {centos-binary-cron: train}\n", path="globals.yml")


def test_an_escape_within_a_name_is_not_guessed() -> None:
    assert undecided('a: "centos-binary-cr\\x6fn and centos-source-"\n', path="globals.yml")
    assert undecided('a: "centos-binary-cr\\\n  on"\n', path="globals.yml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            '"{{ a ~ \\"/\\" if a else \\"\\" }}{{ kolla_base_distro }}-{{ b_install_type }}-cron"',
            '"{{ a ~ \\"/\\" if a else \\"\\" }}{{ kolla_base_distro }}-cron"',
        ),
        (
            '"{{ kolla_base_distro | default(\\"a\\") }}-{{ b_install_type }}-cron"',
            '"{{ kolla_base_distro | default(\\"a\\") }}-cron"',
        ),
        (
            "'{{ ''centos-binary-cron'' if a else ''b'' }}'",
            "'{{ ''centos-cron'' if a else ''b'' }}'",
        ),
        ("'it''s centos-binary-cron'", "'it''s centos-cron'"),
        ('"a\\ncentos-binary-cron\\n"', '"a\\ncentos-cron\\n"'),
    ],
)
def test_quotes_within_quotes_are_read_and_kept(old: str, new: str) -> None:
    assert after(f"a: {old}\n", path="a.yml") == f"a: {new}\n"


def test_a_byte_order_mark_moves_no_place() -> None:
    assert after("\ufeffa: centos-binary-cron\n", path="a.yml") == "\ufeffa: centos-cron\n"


def test_a_template_that_becomes_yaml_is_read_as_text() -> None:
    old = "{% for a in b %}\na: centos-binary-cron\n{% endfor %}\n"
    assert after(old, path="a.yml") == old.replace("-binary", "")


def test_an_expression_over_two_lines_of_what_is_no_yaml_is_read_as_one() -> None:
    name = "{{ kolla_base_distro }}-{{\n  x_install_type }}-cron"
    old = f"{{% for a in b %}}\nc: '{name}'\n{{% endfor %}}\n"
    assert after(old, path="a.yml") == old.replace("-{{\n  x_install_type }}", "")


def test_other_names_are_printed_by_their_scheme() -> None:
    old = 'a: "{{ kolla_base_distro }}-{{ x_install_type }}-mariadb"\n'
    new = 'a: "{{ kolla_base_distro }}-infra-mariadb-server"\n'
    assert after(old, path="a.yml", scheme=Scheme.INFRA) == new
    assert after(new, path="a.yml", scheme=Scheme.INFRA) == new


@pytest.mark.parametrize("scheme", [Scheme.LEGACY, Scheme.SHORT])
def test_a_scheme_that_cannot_be_moved_to_is_refused(scheme: Scheme) -> None:
    with pytest.raises(UsageError):
        Names.of(fleet(), scheme)


_WORDS = st.sampled_from(
    [
        *("centos", "debian", "binary", "source", "cron", "redis", "mariadb", "nova-api", "-", "-"),
        *(
            "{{ kolla_base_distro }}",
            "{{ a_install_type }}",
            "{{ b }}",
            "{% if c %}",
            "{% endif %}",
        ),
        *("centos-binary-cron", "kolla/", ":", "\n", " ", "'", '"', "{#", "#}", "{{", "\\", "# "),
        *("\ue000", "\ue00f", "\udc80", "\r\n", "- ", "a: ", "@", "é", "|", ">", "$X", "${Y}"),
    ]
)
_TEXTS = st.lists(_WORDS, max_size=25).map("".join)
_PATHS = st.sampled_from(["a.txt", "a.yml", "a.j2"])


@given(_PATHS, _TEXTS)
def test_edits_never_overlap_and_a_second_reading_finds_nothing(path: str, text: str) -> None:
    found = read(path, text, names())
    changed = apply_edits(text, found.edits)  # refuses what overlaps
    assert read(path, changed, names()).edits == ()


@given(_PATHS, st.text())
def test_text_without_references_is_never_changed(path: str, text: str) -> None:
    if "cron" not in text and "redis" not in text:
        assert read(path, text, names()).edits == ()


@given(_PATHS, _TEXTS)
def test_only_names_of_infra_images_are_touched(path: str, text: str) -> None:
    catalog: Catalog = fleet()
    known = {image.id.name for image in catalog.images if image.id.type is None}
    for edit in read(path, text, names()).edits:
        assert edit.image in known
        assert edit.new.endswith(f"-{edit.image}")


def test_nothing_found_is_an_empty_value() -> None:
    assert read("a.txt", "nothing at all", names()) == Found()
