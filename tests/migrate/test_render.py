"""Variables are rendered as Ansible would, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from lamina.migrate.render import NotVariablesError, Scope, UnrenderedError, variables_in


def rendered(text: str, **variables: Any) -> Any:
    return Scope(variables).render(text)


def test_variables_are_rendered_through_each_other() -> None:
    assert rendered(
        "{{ a }}/{{ d.e[0] }}", a="{{ b }}x", b="{{ c }}", c=1, d={"e": ["{{ a }}"]}
    ) == ("1x/1x")


def test_the_later_of_two_values_wins() -> None:
    assert Scope({"a": 1, "b": "{{ a }}"}, {"a": 2}).variable("b") == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ none ~ '/' if none else '' }}", ""),
        ("{{ yes | bool }}", True),
        ("{{ 'no' | bool }}", False),
        ("{{ (1 == 1) | ternary('a', 'b') }}", "a"),
        ("{{ [1, 2] }}", [1, 2]),
        ("{{ unset | default('x') }}", "x"),
        ("{% for a in [1, 2] %}{{ a }}{% endfor %}", "12"),
        ("no template", "no template"),
        ("{# nothing #}", ""),
    ],
)
def test_expressions_have_the_values_that_ansible_gives_them(text: str, value: Any) -> None:
    assert rendered(text, none=None, yes="yes") == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ unset }}", "'unset' is undefined"),
        ("a{{ unset }}", "'unset' is undefined"),
        ("{{ a | own_filter }}", "own_filter"),
        ("{{ loop }}", "needs itself"),
        ("{{ a", "end"),
        ("{{ 1 / 0 }}", "zero"),
        ("{{ a.__class__.__mro__ }}", "__class__"),
        ("{{ lookup('file', 'x') }}", "lookup"),
    ],
)
def test_what_cannot_be_rendered_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnrenderedError, match=why):
        rendered(text, a="a", loop="{{ loop }}x")


def test_a_part_that_cannot_be_rendered_hinders_no_other() -> None:
    value = rendered("{{ services }}", services={"a": "{{ unset }}", "b": "{{ 1 }}"})
    assert value["b"] == 1
    with pytest.raises(UnrenderedError, match="'unset' is undefined"):
        rendered("{{ services.a }}", services={"a": "{{ unset }}"})


def test_tags_of_ansible_are_read_through() -> None:
    assert variables_in("a: !any |\n  text\nb: !unsafe '{{'\n") == {"a": "text\n", "b": "{{"}


def test_what_is_encrypted_is_not_taken_for_its_value() -> None:
    scope = Scope(variables_in("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132\nb: 1\n"))
    assert scope.render("{{ b }}") == 1
    with pytest.raises(UnrenderedError, match="'a' is encrypted"):
        scope.render("{{ a }}/centos-cron")


@pytest.mark.parametrize("text", ["", "---\n", "# nothing is set\n"])
def test_a_file_that_sets_nothing_has_no_variables(text: str) -> None:
    assert variables_in(text) == {}


@pytest.mark.parametrize(
    "text", ["- a", "a: [", "a: {{ b }}", "\0", "? [a]\n: b", "$ANSIBLE_VAULT;1.1;AES256\n3132\n"]
)
def test_a_file_whose_variables_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(NotVariablesError):
        variables_in(text)
