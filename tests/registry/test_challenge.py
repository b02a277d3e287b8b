"""What a registry asks for is understood however it is written."""

from __future__ import annotations

import pytest

from lamina.registry.challenge import Challenge, find_challenge

TOKENS = Challenge(
    scheme="bearer",
    parameters={"realm": "https://example.org/t", "service": "one, or two"},
)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        (["Negotiate"], None),
        (['Basic realm="x"'], Challenge(scheme="basic", parameters={"realm": "x"})),
        (["basic"], Challenge(scheme="basic", parameters={})),
        (['Bearer realm="https://example.org/t",service="one, or two"'], TOKENS),
        (
            ['Basic realm="a, Bearer b"'],
            Challenge(scheme="basic", parameters={"realm": "a, Bearer b"}),
        ),
        (
            ['Basic realm="x", bearer Realm="https://example.org/t", service="one, or two"'],
            TOKENS,
        ),
        (
            [
                'Basic realm="x"',
                'Bearer realm="https://example.org/t",service="one, or two"',
            ],
            TOKENS,
        ),
        (["Bearer", 'Basic realm="x"'], Challenge(scheme="basic", parameters={"realm": "x"})),
        (
            [r'Basic realm="a \"b\""'],
            Challenge(scheme="basic", parameters={"realm": 'a "b"'}),
        ),
    ],
)
def test_the_best_way_in_is_found(headers: list[str], found: Challenge | None) -> None:
    assert find_challenge(headers) == found
