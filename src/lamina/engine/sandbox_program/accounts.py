"""Users, by the image's own passwd and group: modules that could tell them read the host's."""

from __future__ import annotations


def identity(user: str) -> tuple[int, int, list[int], str] | None:
    """Return uid, gid, all group ids and home of `user`, by the image's own passwd and group.

    None where the image has no such user.
    """
    found = [a for a in accounts("/etc/passwd", 7) if user in (a[0], a[2])]
    if not found or not (found[0][2].isdecimal() and found[0][3].isdecimal()):
        return None
    name, uid, gid, home = found[0][0], int(found[0][2]), int(found[0][3]), found[0][5]
    further = {
        int(group[2])
        for group in accounts("/etc/group", 4)
        if name in group[3].split(",") and group[2].isdecimal()
    }
    return uid, gid, sorted({gid, *further}), home


def accounts(path: str, fields: int) -> list[list[str]]:
    """Return the lines of a file of users or groups that have as many fields."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            split = [line.rstrip("\n").split(":") for line in lines]
    except OSError:
        return []
    return [line for line in split if len(line) == fields]
