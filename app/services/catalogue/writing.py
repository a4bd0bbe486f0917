"""Tables as TOML text, in the style that a person would write."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

_WIDTH: Final = 100
"""A list that would make a longer line gets a line per element."""


def inline(value: Any) -> str:
    """Return a text, a number, true or false, a list or a table of them as TOML on one line."""
    match value:
        case dict():
            table = cast("dict[str, Any]", value)  # the file's own keys, which need no quotes
            return f"{{ {', '.join(f'{name} = {inline(inner)}' for name, inner in table.items())} }}"
        case list():
            return f"[{', '.join(map(inline, cast('list[Any]', value)))}]"  # of the file's own values
        case _:
            # TOML's texts are JSON's, but for one control character that JSON lets stand.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def pair(name: str, value: Any) -> str:
    """Return `name = value`, on several lines where the value is a long list."""
    text = f"{name} = {inline(value)}"
    if isinstance(value, list) and len(text) > _WIDTH:
        elements = "".join(
            f"  {inline(element)},\n" for element in cast("list[Any]", value)
        )  # of the file's own values
        return f"{name} = [\n{elements}]"
    return text


def block(header: str | None, values: Mapping[str, Any], notes: Iterable[str] = ()) -> str:
    """Return a table with its header, or the pairs before the first one; notes stand above as comments."""
    lines = [comment(note) for note in notes]
    if header is not None:
        lines.append(f"[{header}]")
    lines += [pair(name, value) for name, value in values.items()]
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """Return the text as one line of comment; what cannot stand in one becomes a space."""
    return "# " + "".join(character if character.isprintable() else " " for character in text)
