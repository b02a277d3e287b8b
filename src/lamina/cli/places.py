"""Types of options that say where images go, and under which names."""

from __future__ import annotations

import click

from lamina.errors import UsageError
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.spelling import did_you_mean


class NamespaceType(click.ParamType[Namespace]):
    """`REGISTRY/NAMESPACE`."""

    name = "namespace"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Namespace:
        """Read `REGISTRY/NAMESPACE`."""
        return value if isinstance(value, Namespace) else Namespace.parse(str(value))


class SchemesType(click.ParamType[tuple[Scheme, ...]]):
    """Naming schemes with commas between them."""

    name = "schemes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Scheme, ...]:
        """Read schemes with commas between them."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        for word in words:
            if word not in tuple(Scheme):
                otherwise = f"the schemes are {', '.join(Scheme)}"
                raise UsageError.one(
                    f"no scheme '{word}'",
                    place="--names",
                    remedy=did_you_mean(word, Scheme, otherwise=otherwise),
                )
        return tuple(dict.fromkeys(map(Scheme, words)))
