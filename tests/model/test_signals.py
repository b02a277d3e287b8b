from __future__ import annotations

import signal

import pytest

from lamina.model.signals import signal_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("SIGTERM", 15),
        ("SIGUSR1", 10),
        ("SIGRTMIN", signal.SIGRTMIN),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
    ],
)
def test_a_signal_has_the_number_of_its_name(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize(
    "name", ["SIGFOO", "TERM", "SIG_DFL", "15", "", "SIGTERM+1", "SIGRTMIN+99", "SIGRTMIN+"]
)
def test_what_is_no_signal_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no signal|invalid literal"):
        signal_number(name)
