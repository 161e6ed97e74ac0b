"""Files in folders that somebody less trusted than root can change, such as the folder of the service's user.

That user may plant links there, at any moment. So root does not look for links: it becomes that user while it writes,
and then no link leads further than that user could go alone.
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

MAX_LINKS = 40
NOGROUP = 65534


@contextlib.contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Give up root while the body writes to `path`, if another user decides where it leads.

    Nothing happens for other users, and where only root can change the folders and links of the path. The whole process
    gives up root, so other threads must not need it meanwhile. Raises OSError.
    """
    owner = decider(path) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    mine, all_of_mine = _groups_of(owner)
    try:
        os.setgroups(all_of_mine)
        os.setegid(mine)
        os.seteuid(owner)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def decider(path: Path) -> int | None:
    """The user other than root who decides where `path` leads; None: only root does. Raises OSError.

    That is the owner of the last folder or link on the way that does not belong to root.
    """
    found, here, links = None, Path("/"), 0
    left = list(reversed(path.absolute().parts))
    while left:
        part = left.pop()
        if part == "..":
            here = here.parent
            continue
        here /= part
        try:
            state = here.lstat()
        except (FileNotFoundError, NotADirectoryError):
            break
        is_link = stat.S_ISLNK(state.st_mode)
        if state.st_uid != 0 and (is_link or stat.S_ISDIR(state.st_mode)):
            found = state.st_uid
        if is_link:
            links += 1
            if links > MAX_LINKS:
                break
            left += reversed(here.readlink().parts)
            here = here.parent
    return found


def become_decider(path: Path) -> None:
    """Give up root for good, if another user decides where `path` leads: for a process with several threads.

    Raises OSError.
    """
    owner = decider(path) if os.geteuid() == 0 else None
    if owner is None:
        return
    group, groups = _groups_of(owner)
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(owner)


def _groups_of(user: int) -> tuple[int, list[int]]:
    """Return the group of a user and all their groups; a number without a name has none that counts."""
    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return NOGROUP, []
    return known.pw_gid, os.getgrouplist(known.pw_name, known.pw_gid)
