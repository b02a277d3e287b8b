"""Variables of Ansible rendered as a deployment would: each when it is asked for, from the others.

Only what references to images are made of is understood: Jinja with its own filters and the few of
Ansible's that stand in such expressions. Whatever else is asked for is refused, not guessed: an
undefined variable, an unknown filter, a variable that needs itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from lamina.migrate.jinja import NotATemplateError, Part, may_be_template, pieces_of
from lamina.migrate.leaves import yaml_readable

Value = Any
"""What YAML and Jinja have: texts, numbers, lists, mappings."""

_SCOPE = "\0scope"
_VAULT = "$ANSIBLE_VAULT;"  # what a file that ansible-vault wrote begins with
_TRUE = ("yes", "on", "1", "true")


class UnrenderedError(ValueError):
    """A value cannot be rendered; the message says why."""


class NotVariablesError(ValueError):
    """A file sets no variables that can be read; the message says why."""


class Scope:
    """Variables that see each other; later values win over earlier ones."""

    def __init__(self, *layers: Mapping[str, Value]) -> None:
        """Take the variables, the weakest first."""
        self._raw: dict[str, Value] = {}
        for layer in layers:
            self._raw.update(layer)
        self._done: dict[str, Value] = {}
        self._doing: list[str] = []

    def variable(self, name: str) -> Value:
        """Return a variable's value, rendered, or `missing`."""
        if name in self._done:
            return self._done[name]
        if name not in self._raw:
            return missing
        if name in self._doing:
            raise UnrenderedError(f"'{name}' needs itself")
        self._doing.append(name)
        try:
            value = self._done[name] = self.render(self._raw[name])
        finally:
            self._doing.pop()
        return value

    def render(self, value: Value) -> Value:
        """Return a value with every template in it rendered; raise `UnrenderedError`."""
        if isinstance(value, dict):
            return {key: self._part(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._part(one) for one in value]
        if not isinstance(value, str) or not may_be_template(value):
            return value
        try:
            return _compiled(value)({_SCOPE: self})
        except TemplateError as error:
            raise UnrenderedError(error.message or "it cannot be rendered") from error
        except UnrenderedError:
            raise
        except RecursionError as error:
            raise UnrenderedError("it goes too deep") from error
        except Exception as error:  # whatever an expression of the tree's own does wrong
            raise UnrenderedError(str(error)) from error

    def _part(self, value: Value) -> Value:
        """Return a part of a value rendered; one that cannot be hinders no other."""
        try:
            return self.render(value)
        except UnrenderedError as error:
            return Unrendered(value, str(error))


class Unrendered(StrictUndefined):
    """A part of a value that cannot be rendered; whoever asks for it learns why."""

    __slots__ = ("text",)

    def __init__(self, text: Value, why: str) -> None:
        """Take what stands there, and why it cannot be rendered."""
        super().__init__(hint=why)
        self.text = text


def variables_in(text: str) -> Mapping[str, Value]:
    """Return the variables that a file in YAML sets; one that is encrypted tells nothing.

    Raises `NotVariablesError` for what is no YAML, no mapping, or encrypted as a whole.
    """
    if text.startswith(_VAULT):
        raise NotVariablesError("it is encrypted")
    found: dict[str, Value] = {}
    try:
        for document in yaml.load_all(yaml_readable(text), Loader=_Loader):
            if not isinstance(document, dict | NoneType):
                raise NotVariablesError("it is no mapping of variables")
            found |= {
                name: Unrendered(value.text, f"'{name}' is encrypted")
                if isinstance(value, Unrendered)
                else value
                for name, value in (document or {}).items()
                if isinstance(name, str)
            }
    except NotVariablesError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise NotVariablesError(f"it is no YAML{line}") from error
    except (ValueError, TypeError) as error:
        raise NotVariablesError(f"it is no YAML: {error}") from error
    return found


class _Loader(yaml.CSafeLoader):
    """A safe loader that takes a tag of Ansible's for what stands behind it."""


def _untagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Value:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


def _encrypted(_loader: _Loader, node: yaml.Node) -> Value:
    return Unrendered(node.value, "a part of it is encrypted")


_Loader.add_multi_constructor("!", _untagged)
for _tag in ("!vault", "!vault-encrypted"):
    _Loader.add_constructor(_tag, _encrypted)


class _Context(Context):
    """A template's variables: its own, then those of the scope."""

    def resolve_or_missing(self, key: str) -> Value:
        """Return the value of a variable."""
        found = super().resolve_or_missing(key)
        if found is not missing:
            return found
        return self.parent[_SCOPE].variable(key)


def _bool(value: Value) -> bool:
    """Do as Ansible's filter: a text is true only by word."""
    return value.lower() in _TRUE if isinstance(value, str) else bool(value)


def _ternary(value: Value, yes: Value, no: Value) -> Value:
    return yes if value else no


_JINJA = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)
_JINJA.context_class = _Context
_JINJA.filters |= {"bool": _bool, "ternary": _ternary}


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Callable[[Mapping[str, Value]], Value]:
    """Return what renders a text; one expression alone keeps its type, as Ansible has it."""
    try:
        pieces = pieces_of(text)
    except NotATemplateError as error:
        raise UnrenderedError(str(error)) from error
    if len(pieces) == 1 and pieces[0].part in (Part.VALUE, Part.DISTRO, Part.TYPE):
        inside = text[2:-2].strip("-+ \n")
        expression = _JINJA.compile_expression(inside, undefined_to_none=False)
        return lambda given: _defined(expression(given))
    template = _JINJA.from_string(text)
    return lambda given: template.render(given)


def _defined(value: Value) -> Value:
    if isinstance(value, StrictUndefined):
        str(value)  # raises, and says which
    return value
