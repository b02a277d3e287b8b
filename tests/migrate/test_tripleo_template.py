"""TripleO's template of all images: which references move, and how the rest stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migrate.fleet import fleet, names
from tests.migrate.tripleo_tree import TEMPLATE, TREE, entry, migrated

from lamina.migrate.edit import Found, apply_edits
from lamina.migrate.readers import read
from lamina.migrate.tree import decoded, encoded
from lamina.migrate.tripleo.cases import Absent, cases, decisive
from lamina.migrate.tripleo.pieces import environment
from lamina.migrate.tripleo.prefix import definition, infra_prefix
from lamina.migrate.tripleo.proof import prove
from lamina.model.image import Kind, Type
from lamina.model.names import Scheme, print_names

SCHEMES = (Scheme.SPLIT, Scheme.INFRA)


def found_in(text: str, scheme: Scheme = Scheme.SPLIT) -> Found:
    return read(TEMPLATE, text, names(scheme))


def undecided(text: str) -> tuple[str, ...]:
    """Return what is undecided in a template that gets no edits."""
    found = found_in(text)
    assert found.edits == ()
    return tuple(str(fault) for fault in found.undecided)


def test_only_lines_of_infra_images_change_and_one_is_added() -> None:
    old = TREE[TEMPLATE].splitlines()
    new = migrated(TREE, names())[TEMPLATE].splitlines()
    assert new[0] == definition(Scheme.SPLIT)
    changed = [after for before, after in zip(old, new[1:], strict=True) if before != after]
    assert changed == [
        '- imagename: "{{namespace}}/{{infra_prefix}}cron{{name_suffix}}:{{tag}}"',
        '- imagename: "{{namespace}}/{{infra_prefix}}fluentd{{name_suffix}}:{{tag}}"',
        "- imagename: '{{ namespace }}/{{ infra_prefix }}mariadb-server{{ name_suffix }}:{{ tag }}'"
        "   # the database",
        '- imagename: "{{namespace}}/{{infra_prefix}}redis{{name_suffix}}:{{tag}}"',
        '- imagename: "{{namespace}}/{{infra_prefix}}libvirt{{name_suffix}}:{{tag}}"',
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_moved_template_is_not_moved_again(scheme: Scheme) -> None:
    new = migrated(TREE, names(scheme))
    assert migrated(new, names(scheme)) == new


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_stay_as_they_are(end: str) -> None:
    old = TREE[TEMPLATE]
    text = apply_edits(old.replace("\n", end), found_in(old.replace("\n", end)).edits)
    assert text == migrated(TREE, names())[TEMPLATE].replace("\n", end)


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    odd = decoded(b"# \xe9\xff\n") + TREE[TEMPLATE]
    new = apply_edits(odd, found_in(odd).edits)
    assert encoded(new).startswith(b"# \xe9\xff\n{% set ")
    assert prove(TEMPLATE, odd, new, names()).faults == ()


def test_a_mark_at_the_beginning_of_a_file_moves_no_place() -> None:
    marked = "\ufeff" + TREE[TEMPLATE]
    text = apply_edits(marked, found_in(marked).edits)
    assert text == "\ufeff" + migrated(TREE, names())[TEMPLATE]


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None, max_examples=20)
@given(prefix=st.sampled_from(["debian-", "rhel-", "", "own-word-"]), type_=st.sampled_from(Type))
def test_the_default_prefix_is_what_the_scheme_prints(
    scheme: Scheme, prefix: str, type_: Type
) -> None:
    ours = infra_prefix(f"{prefix}{type_}-", scheme)
    template = environment().from_string(definition(scheme) + "{{ infra_prefix }}")
    assert template.render(name_prefix=f"{prefix}{type_}-") == ours
    assert template.render(name_prefix=f"{prefix}{type_}-", infra_prefix="mine-") == "mine-"
    for image in fleet().images:
        if image.kind is Kind.INFRA and prefix == "debian-":
            (printed,) = print_names(image, fleet().distro, scheme, tag="1")
            assert f"{ours}{image.id.name}:1" == printed


@pytest.mark.parametrize("prefix", ["openstack-", "xbinary-", "", "binary"])
def test_a_prefix_without_a_type_serves_infra_images_as_before(prefix: str) -> None:
    assert infra_prefix(prefix, Scheme.SPLIT) is None
    template = environment().from_string(definition(Scheme.SPLIT) + "{{ infra_prefix }}")
    assert template.render(name_prefix=prefix) == prefix


@pytest.mark.parametrize(
    "style",
    ["REF", '"REF"', "'REF'", "&one !!str 'REF'", "&one REF   # why", ">-\n    REF", "|\n    REF"],
)
def test_a_reference_is_read_in_every_style_of_yaml(style: str) -> None:
    text = f"container_images_template:\n- imagename: {style}\n  image_source: kolla\n"
    text = text.replace("REF", "{{namespace}}/{{name_prefix}}cron")
    new = apply_edits(text, found_in(text).edits)
    assert new.split("\n", 1)[1] == text.replace("name_prefix", "infra_prefix")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{{namespace}}/centos-binary-cron{{name_suffix}}:{{tag}}", "/centos-cron{{name_suffix}}:"),
        ("host:5000/space/rhel-source-mariadb", "host:5000/space/rhel-mariadb-server"),
        ("{{ name_prefix }}cron", "{{ infra_prefix }}cron"),
        ("{{ns}}/{{- name_prefix -}}cron:{{tag}}", "/{{- infra_prefix -}}cron:"),
    ],
)
def test_a_reference_is_read_however_it_is_written(old: str, new: str) -> None:
    text = entry(old)
    found = found_in(text)
    assert found.undecided == ()
    assert new in apply_edits(text, found.edits)


@pytest.mark.parametrize(
    "reference",
    [
        "{{namespace}}/{{name_prefix}}nova-api{{name_suffix}}:{{tag}}",
        "{{namespace}}/{{name_prefix}}cron-of-another{{name_suffix}}:{{tag}}",
        "{{ceph_namespace}}/{{ceph_image}}:{{ceph_tag}}",
        "{{ceph_namespace}}/daemon:{{cron_tag}}",
        "cron/{{other_image}}:cron",
    ],
)
def test_what_is_no_infra_image_stays(reference: str) -> None:
    assert undecided(entry(reference)) == ()


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{{namespace}}/{{name_prefix}}{{image}}:{{tag}}", "only a rendering tells"),
        ("{{namespace}}/{{name_prefix}}{% if x %}cron{% else %}nova-api{% endif %}", "cannot be"),
        ("{{namespace}}/{{name_prefix | lower}}cron:{{tag}}", "cannot be"),
        ("{{namespace}}/{{ 'cron' if x else 'redis' }}:{{tag}}", "cannot be"),
        ("{{namespace}}/{{infra_prefix}}nova-api", "is no infra image"),
        ("{{namespace}}/{{name_prefix}}cron{{more}}:{{tag}}", "cannot be"),
        ("{{namespace}}/centos-binary-cron{{tag}}", "cannot be"),
        ("{{namespace}}/{{name_prefix}}cron@{{digest}}", "pinned by a digest"),
        ("host/space/centos-binary-redis:one@sha256:0123", "pinned by a digest"),
    ],
)
def test_what_cannot_be_told_is_said_with_a_remedy(reference: str, said: str) -> None:
    (fault,) = undecided(entry(reference))
    place, _, remedy = fault.partition("\n")
    assert place.startswith(f"{TEMPLATE}:2: ")
    assert said in place
    assert "write" in remedy


def test_names_beside_the_entries_move_as_in_any_template() -> None:
    old = (
        "{% set other = 'host/centos-binary-redis:1' %}\n"
        "fallback: host/space/centos-binary-cron:1  # was centos-binary-cron\n"
        "# centos-binary-cron\n"
    )
    new = (
        "{% set other = 'host/centos-redis:1' %}\n"
        "fallback: host/space/centos-cron:1  # was centos-binary-cron\n"
        "# centos-binary-cron\n"
    )
    rest = entry("{{namespace}}/centos-source-nova-api{{name_suffix}}:{{tag}}")
    found = found_in(old + rest)
    assert found.undecided == ()
    assert apply_edits(old + rest, found.edits) == new + rest


def test_a_copy_of_the_template_is_known_by_what_is_in_it() -> None:
    text = entry("{{namespace}}/{{name_prefix}}cron:{{tag}}")
    for path in ("mine.yaml", "mine.tpl"):
        assert "{{infra_prefix}}cron" in apply_edits(text, read(path, text, names()).edits)


def loop(names_of: str) -> str:
    return (
        "container_images_template:\n{% for image in [" + names_of + "] %}\n"
        '- imagename: "{{namespace}}/{{name_prefix}}{{image}}{{name_suffix}}:{{tag}}"\n'
        "  params: [Container{{image}}Image]\n{% endfor %}\n"
    )


def test_a_loop_over_infra_images_moves_as_a_whole() -> None:
    old = loop("'cron', 'redis'")
    found = found_in(old)
    new = apply_edits(old, found.edits)
    assert "{{infra_prefix}}{{image}}" in new
    assert prove(TEMPLATE, old, new, names()).faults == ()


def test_a_loop_over_openstack_images_stays() -> None:
    assert undecided(loop("'nova-api', 'keystone'")) == ()


@pytest.mark.parametrize("listed", ["'cron', 'nova-api'", "'cron', 'mariadb'"])
def test_a_loop_over_images_that_move_differently_is_undecided(listed: str) -> None:
    (fault,) = undecided(loop(listed))
    assert fault.startswith(f"{TEMPLATE}:3: ")
    assert "loop of their own" in fault


def test_a_loop_that_has_ended_says_nothing_of_its_variable() -> None:
    text = "{% for image in ['cron'] %}{% endfor %}\n" + entry("{{name_prefix}}{{image}}")
    assert "only a rendering tells" in undecided(text)[0]


def test_a_template_that_sets_the_prefix_itself_is_told_where_to_say_the_other() -> None:
    text = "{% set name_prefix = 'centos-binary-' %}\n" + entry("{{name_prefix}}cron")
    (fault,) = undecided(text)
    assert fault.startswith(f"{TEMPLATE}:1: ")
    assert definition(Scheme.SPLIT) in fault
    done = text.replace("\n", f"\n{definition(Scheme.SPLIT)}\n", 1)
    assert "{{infra_prefix}}cron" in apply_edits(done, found_in(done).edits)


def test_entries_of_another_template_are_not_forgotten() -> None:
    text = entry("{{name_prefix}}cron") + "{% include 'more.j2' %}\n"
    (fault,) = found_in(text).undecided
    assert fault.place == f"{TEMPLATE}:4"


@pytest.mark.parametrize("text", ["{{ namespace", "a: b: c\n", "{% if x %}\n", "\0"])
def test_a_broken_template_is_undecided_and_not_changed(text: str) -> None:
    assert len(undecided(entry("{{name_prefix}}cron") + text)) == 1


def test_the_proof_goes_through_every_case_of_the_conditions() -> None:
    old, new = TREE[TEMPLATE], migrated(TREE, names())[TEMPLATE]
    variables = decisive(environment().parse(old))
    assert variables == {
        "neutron_driver": ("odl", "ovn", "another-value"),
        "rhel_containers": (True, False),
    }
    proof = prove(TEMPLATE, old, new, names())
    assert proof.faults == ()
    assert proof.renderings % 6 == 0
    assert proof.moved == {
        "cron": "cron",
        "fluentd": "fluentd",
        "mariadb": "mariadb-server",
        "nova-libvirt": "libvirt",
        "redis": "redis",
    }


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("- ContainerCrondImage\n", "- ContainerCronImage\n"),
        ("[OS::TripleO::Services::OVN]", "[OS::TripleO::Services::OVS]"),
        ("{{infra_prefix}}redis", "{{name_prefix}}redis"),
        ("{{name_prefix}}keystone", "{{infra_prefix}}keystone"),
        ("{{name_prefix}}nova-api{{name_suffix}}", "{{name_prefix}}nova-api"),
        ("{{infra_prefix}}cron", "centos-cron"),
        ("{% if not rhel_containers %}", "{% if rhel_containers %}"),
        ('{% elif neutron_driver == "ovn" %}', '{% elif neutron_driver == "odl" %}'),
        ("{{infra_prefix}}libvirt{{name_suffix}}:{{tag}}", "{{infra_prefix}}libvirt:{{tag}}"),
        (" | default(", " or ("),
        ("{{ceph_image}}", "{{ceph_image.x.y}}"),
    ],
)
def test_the_proof_finds_whatever_else_changed(right: str, wrong: str) -> None:
    old, new = TREE[TEMPLATE], migrated(TREE, names())[TEMPLATE]
    assert right in new
    if wrong.startswith(" or"):
        wrong = " ~ ("  # no longer what a user set
    assert prove(TEMPLATE, old, new.replace(right, wrong), names()).faults


@pytest.mark.parametrize("end", ["", ":{{tag}}", "{{name_suffix}}", "{{ name_suffix }}:1"])
def test_the_proof_asks_for_no_suffix_that_was_not_there(end: str) -> None:
    old = entry("{{namespace}}/{{name_prefix}}cron" + end)
    new = apply_edits(old, found_in(old).edits)
    assert prove(TEMPLATE, old, new, names()).faults == ()


@pytest.mark.parametrize("wrong", ["{{ 1 / zero }}", "{{ [][1].x }}", "{{ x | nothing }}", "{{ x("])
def test_a_template_that_does_not_render_is_a_fault(wrong: str) -> None:
    text = entry("{{name_prefix}}cron") + f"other: {wrong}\n{{% if zero > 0 %}}{{% endif %}}\n"
    faults = prove(TEMPLATE, text, text, names()).faults
    assert {fault.place for fault in faults} == {TEMPLATE}


def test_conditions_are_tried_with_all_that_they_ask_for() -> None:
    tree = environment().parse(
        "{% if a in ['x', 'y'] and not b %}{% endif %}{% if n > 3 %}{% endif %}"
        "{{ 1 if c is defined else 2 }}{% set own = 1 %}{% if own %}{% endif %}"
    )
    variables = decisive(tree)
    assert variables == {
        "a": ("x", "y", "another-value"),
        "b": (True, False),
        "c": (True, False, Absent.ABSENT),
        "n": (3, 2, 4),
    }
    every = list(cases(variables))
    assert len(every) == 3 * 2 * 3 * 3
    assert sum("c" not in case for case in every) == len(every) // 3


_IMAGES = sorted(names().images)


@settings(deadline=None, max_examples=40)
@given(
    images=st.lists(st.sampled_from([*_IMAGES, "unknown", "cron-x"]), min_size=1, max_size=8),
    guards=st.lists(st.sampled_from(["", "x", "not x", "d == 'a'", "d in ['a', 'b']"]), min_size=8),
    scheme=st.sampled_from(SCHEMES),
    spaced=st.booleans(),
)
def test_any_template_is_proved_and_moved_once(
    images: list[str], guards: list[str], scheme: Scheme, spaced: bool
) -> None:
    gap = " " if spaced else ""
    entries = []
    for image, guard in zip(images, guards, strict=False):
        reference = f"{{{{namespace}}}}/{{{{{gap}name_prefix{gap}}}}}{image}{{{{name_suffix}}}}:x"
        text = f'- imagename: "{reference}"\n  params: [Container{image}]\n'
        entries.append(f"{{% if {guard} %}}\n{text}{{% endif %}}\n" if guard else text)
    old = "container_images_template:\n" + "".join(entries) + "- imagename: other/image\n"
    found = found_in(old, scheme)
    assert found.undecided == ()
    new = apply_edits(old, found.edits)
    proof = prove(TEMPLATE, old, new, names(scheme))
    assert proof.faults == ()
    assert set(proof.moved) == {name for name in images if name in names().images} - {
        name for name, image in names().images.items() if image.kind is Kind.OPENSTACK
    }
    assert found_in(new, scheme).edits == ()
