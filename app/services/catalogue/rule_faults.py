"""Faults of the domain's rules, told in the file's words and places."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from app.domain.errors import FieldError
from app.services.catalogue.section import Faults
from app.services.catalogue.syntax import Path
from app.services.catalogue.tables import FILE_WORDS

_API_WORD: Final = re.compile(rf"\b({'|'.join(FILE_WORDS)})\b")
_KEYS: Final = ("key", "featureKey")


def note_rule_faults(
    faults: Faults, found: Iterable[FieldError], path: Path, rows: Mapping[Path, Path] | None = None
) -> None:
    """Note what the rules found below `path`, unless the value could not be read in the first place.

    `rows` leads from the place of an entry in the record to its place in the file.
    """
    for error in found:
        steps = error.path[1:]
        place, is_key = _place(path, steps, rows or {})
        if faults.is_unread(place):
            continue
        if error.code != "REQUIRED":
            place = faults.document.nearest(place)  # `seats = -1` has a limit and no key for it
        problem = _API_WORD.sub(lambda word: FILE_WORDS[word[0]], error.message.removeprefix(f"{'.'.join(steps)} "))
        (faults.at_key if is_key else faults.at_value)(place, error.code, problem)


def _place(path: Path, steps: Path, rows: Mapping[Path, Path]) -> tuple[Path, bool]:
    """Return where in the file a field of the record stands, and whether its key is at fault."""
    if steps == ("isDefault",):
        return (FILE_WORDS["isDefault"],), False
    base, rest = (rows[steps[:2]], steps[2:]) if steps[:2] in rows else (path, steps)
    if not rest or rest[-1] in _KEYS:
        return base, True
    return (*base, *(FILE_WORDS.get(step, step) for step in rest)), False
