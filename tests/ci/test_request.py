"""What a pipeline may be asked for."""

from __future__ import annotations

import pytest
from tests.ci.requests import LARGE, THREE, a_request

from lamina.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "lamina $(id)",
        "${{ secrets.TOKEN }}",
        "{{ lookup('env', 'HOME') }}",
        "a\nb",
        "`id`",
        "a'b",
        'a"b',
        "a\\b",
        "--index-url=elsewhere",
    ],
)
@pytest.mark.parametrize("name", ["requirement", "runner", "lock"])
def test_a_text_that_means_something_to_a_shell_or_a_template_is_refused(
    name: str, text: str
) -> None:
    with pytest.raises(UsageError) as caught:
        a_request(**{name: text})

    (fault,) = caught.value.faults
    assert (fault.place, fault.remedy != "") == (f"--{name}", True)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        a_request(runner="$x", terms=("$y",), catalogs=("$z",), groups=THREE, count=3)

    assert {fault.place for fault in caught.value.faults} == {
        *("--runner", "SELECT", "--catalog", "--groups")
    }


def test_the_command_of_a_pipeline_is_what_a_shell_reads_as_was_meant() -> None:
    assert LARGE.command("zuul") == (
        "lamina ci zuul zebra-base+ kind:openstack 'cron*' --kind infra "
        "--registry registry.example.org:5000/fleet "
        "--names split,legacy --groups 3 "
        "--requirement 'lamina @ https://example.org/lamina-0.1.0.tar.gz' --runner builders "
        "--distro debian-13 --lock locks/trixie.lock.json --catalog mine --catalog our/own --to ."
    )
