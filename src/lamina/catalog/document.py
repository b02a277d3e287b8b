"""A YAML file as plain values that still know the lines they stand in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from lamina.errors import Fault

# The composer of PyYAML recurses in C, without a guard against deep nesting: these bounds on what
# can nest are far above any real file and far below the end of the stack.
_MOST_BRACKETS = 10_000
_LONGEST_LINE = 10_000
# An alias costs one word and may stand for any number of nodes, so nodes are counted as if each
# alias were written out.
_MOST_NODES = 100_000
_DEEPEST = 20

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its plain values, and where each of them stands."""

    name: str  # what its places begin with: `infra/mariadb.yaml`
    raw: dict[str, Any]
    root: yaml.MappingNode

    def place(self, *path: str | int) -> str:
        """Return `FILE:LINE` of what `path` leads to: of the key, or of the list's item.

        Parts of the path that the file does not have are skipped, so that the place of something
        that is missing is the place where it should be.
        """
        node, mark = self._walk(path)
        return f"{self.name}:{(mark or node.start_mark).line + 1}"

    def place_of(self, text: str, *path: str | int) -> str:
        """Return the place of the text `text` at or below `path`, or an empty text."""
        waiting, steps = [self._walk(path)[0]], 0
        while waiting and steps < _MOST_NODES:
            node, steps = waiting.pop(), steps + 1
            if isinstance(node, yaml.ScalarNode) and node.value == text:
                return f"{self.name}:{node.start_mark.line + 1}"
            if isinstance(node, yaml.SequenceNode):
                waiting.extend(reversed(node.value))
            elif isinstance(node, yaml.MappingNode):
                waiting.extend(part for pair in reversed(node.value) for part in reversed(pair))
        return ""

    def has(self, *path: str | int) -> bool:
        """Tell whether the file has something at exactly `path`."""
        value: Any = self.raw
        for part in path:
            if not isinstance(value, dict) or part not in value:
                return False
            value = value[part]
        return True

    def _walk(self, path: tuple[str | int, ...]) -> tuple[yaml.Node, yaml.Mark | None]:
        node: yaml.Node = self.root
        mark: yaml.Mark | None = None
        for part in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((pair for pair in node.value if pair[0].value == part), None)
                if pair:
                    mark, node = pair[0].start_mark, pair[1]
            elif (
                isinstance(node, yaml.SequenceNode)
                and isinstance(part, int)
                and part < len(node.value)
            ):
                node = node.value[part]
                mark = node.start_mark
        return node, mark


def read_document(content: bytes, name: str) -> tuple[Document | None, tuple[Fault, ...]]:
    """Return the document that `content` holds, if it can be read at all, and its faults.

    `name` is what places begin with. Values behind a fault are left out of the document.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault = Fault(f"{name}:{line}", "not UTF-8 text", "save the file as UTF-8")
        return None, (fault,)
    unbounded = _unbounded(text, name)
    if unbounded:
        return None, (unbounded,)
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        return None, (_syntax_fault(error, text, name),)
    if root is None:
        return None, (Fault(f"{name}:1", "the file is empty", "give it content or delete it"),)
    if not isinstance(root, yaml.MappingNode):
        place = f"{name}:{root.start_mark.line + 1}"
        return None, (Fault(place, "not a mapping", "a file holds 'key: value' lines"),)
    reader = _Reader(name=name)
    raw = reader.mapping(root)
    if reader.overflow:
        return None, (reader.overflow,)
    return Document(name=name, raw=raw, root=root), tuple(reader.faults)


def _unbounded(text: str, name: str) -> Fault | None:
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        return Fault(name, f"more than {_MOST_BRACKETS} brackets", "split the file")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _LONGEST_LINE:
            message = f"a line of more than {_LONGEST_LINE} characters"
            return Fault(f"{name}:{number}", message, "break the line")
    return None


def _syntax_fault(error: yaml.YAMLError, text: str, name: str) -> Fault:
    if isinstance(error, ReaderError):
        # The C parser counts bytes, not characters.
        line = text.encode()[: error.position].count(b"\n") + 1
        return Fault(f"{name}:{line}", f"not YAML: {error.reason}", "delete the character")
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Fault(f"{name}:1", f"not YAML: {error}", "write it anew")
    line = error.problem_mark.line + 1
    what = ", ".join(part for part in (error.context, error.problem) if part)
    # The mark may stand behind the last line.
    written = (*text.split("\n"), "")[line - 1]
    indent = written[: len(written) - len(written.lstrip())]
    if "\t" in indent:
        remedy = "indent with spaces: a tab does not indent in YAML"
    elif isinstance(error, ComposerError):
        remedy = "write one document, and every anchor above its aliases"
    else:
        remedy = "look for a missing bracket, quote or colon there or above"
    return Fault(f"{name}:{line}", f"not YAML: {what}", remedy)


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Makes plain values of nodes, and collects what is wrong with them."""

    name: str
    faults: list[Fault] = field(default_factory=list)
    overflow: Fault | None = None  # after which nothing is read any more
    nodes: int = 0
    depth: int = 0

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fault(key, "a key that is no text", "write the key as one word")
                continue
            line = key.start_mark.line + 1
            if key.tag == f"{_TAG}merge":
                self._fault(key, "merge keys ('<<') are not taken", "write the keys out")
            elif key.value in lines:
                self._fault(
                    key,
                    f"the key '{key.value}' stands twice",
                    f"it stands in line {lines[key.value]} already",
                )
            elif value.tag == f"{_TAG}null":
                lines[key.value] = line
                self._fault(key, f"'{key.value}' has no value", "give it one or delete the key")
            elif self._may_go_on(value):
                lines[key.value] = line
                result[key.value] = self._value(value)
        return result

    def _value(self, node: yaml.Node) -> Any:
        self.depth += 1
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node)
            if isinstance(node, yaml.SequenceNode):
                return [self._value(item) for item in node.value if self._is_item(item)]
            return self._scalar(node)
        finally:
            self.depth -= 1

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int" | "float":
                return _number(text)
        return text

    def _is_item(self, node: yaml.Node) -> bool:
        if node.tag == f"{_TAG}null":
            self._fault(node, "an item has no value", "give it one or delete it")
            return False
        return self._may_go_on(node)

    def _may_go_on(self, node: yaml.Node) -> bool:
        """Count `node`; tell whether it may be read, and say why not."""
        self.nodes += 1
        if not self.overflow and (self.depth >= _DEEPEST or self.nodes > _MOST_NODES):
            self.overflow = Fault(
                f"{self.name}:{node.start_mark.line + 1}",
                "nested too deeply, or too much through aliases",
                "write the values out where they are needed",
            )
        if self.overflow:
            return False
        if not node.tag.startswith(_TAG) or node.tag.removeprefix(_TAG) not in _PLAIN:
            self._fault(node, f"the tag '{_short(node.tag)}' is not taken", "delete the tag")
            return False
        return True

    def _fault(self, node: yaml.Node, message: str, remedy: str) -> None:
        self.faults.append(Fault(f"{self.name}:{node.start_mark.line + 1}", message, remedy))


_PLAIN = frozenset(
    ("bool", "float", "int", "map", "merge", "null", "seq", "str", "timestamp", "value")
)


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_TAG)}" if tag.startswith(_TAG) else tag


def _number(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    # A spelling that only YAML 1.1 takes for a number (`0x1F`, `1:30`) stays what was written.
    return text
