"""The sandbox's file systems: the image's own, and what every program expects around it.

Sources: mount(2), pivot_root(2), proc(5); the masked paths are those of the OCI runtime
specification's default.
"""

from __future__ import annotations

import ctypes
import errno
import os

from .kernel import LIBC, Json, check

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

OVERLAY_LIMIT = 500  # lower directories of one mount (OVL_MAX_STACK)

MASKED = ("kcore", "keys", "timer_list", "latency_stats", "sched_debug", "acpi", "scsi", "kmsg")
READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs")
DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
    "tty": (5, 0),
}  # fmt: skip
DEVICE_LINKS = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}  # fmt: skip


def mount(
    source: str | None,
    target: str,
    kind: str | None = None,
    flags: int = 0,
    options: str | None = None,
) -> None:
    """Mount a file system, or change a mount, on `target`."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = None if options is None else os.fsencode(options)
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), data), f"mount {kind or ''} on {target}")


def mount_point(root: str, name: str) -> str:
    """Return the path of a directory of the image, which must be one: a link leads elsewhere."""
    path = f"{root}/{name}"
    if not os.path.isdir(path) or os.path.islink(path):
        raise OSError(errno.ENOTDIR, f"/{name} of the image is no directory")
    return path


def mount_overlay(spec: Json) -> None:
    """Mount the image's file system on the folder's `root`."""
    os.chdir(spec["folder"])
    lowers = [str(number) for number in range(spec["lowers"])]
    if len(lowers) > OVERLAY_LIMIT:
        # What one mount cannot take lies below in another. It must be the lowest ones: whatever
        # these hide of each other, nothing else is hidden by them.
        below = lowers[OVERLAY_LIMIT - 1 :]
        lowers = [*lowers[: OVERLAY_LIMIT - 1], "below"]
        os.makedirs("below", exist_ok=True)
        mount("overlay", "below", "overlay", MS_NODEV | MS_RDONLY, _options(below))
    options = f"{_options(lowers)},upperdir=upper,workdir=work,volatile"
    mount("overlay", "root", "overlay", MS_NODEV, options)


def _options(lowers: list[str]) -> str:
    # Numbered links keep the options within the one page that mount(2) takes: as many lower
    # directories as overlayfs takes fit in it.
    return f"lowerdir={':'.join(lowers)},redirect_dir=off,metacopy=off,index=off,xino=off"


def make_devices(root: str) -> None:
    """Mount a private /dev with nothing in it that leads to a device of the host."""
    dev = mount_point(root, "dev")
    mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")
    os.umask(0)
    for name, (major, minor) in DEVICES.items():
        os.mknod(f"{dev}/{name}", 0o020666, os.makedev(major, minor))
    os.umask(0o022)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"{dev}/{name}")
    os.mkdir(f"{dev}/pts")
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666")
    os.mkdir(f"{dev}/shm")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=256m")


def make_proc(root: str) -> None:
    """Mount a /proc of the new process namespace, its doors to the kernel shut."""
    proc = mount_point(root, "proc")
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in READ_ONLY:
        path = f"{proc}/{name}"
        if os.path.exists(path):
            mount(path, path, None, MS_BIND | MS_REC)
            mount(None, path, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    for name in MASKED:
        path = f"{proc}/{name}"
        if os.path.isdir(path):
            mount("tmpfs", path, "tmpfs", MS_RDONLY)
        elif os.path.exists(path):
            mount(f"{root}/dev/null", path, None, MS_BIND)


def make_binds(root: str, binds: list[Json]) -> None:
    """Bind the files and folders that the calls need, and mount the private /tmp for most."""
    mount("tmpfs", mount_point(root, "tmp"), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for bind in binds:
        folder = os.path.isdir(bind["source"])
        target = bind_point(root, bind["target"], folder=folder)
        mount(bind["source"], target, None, MS_BIND)
        flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV
        mount(None, target, None, flags | (MS_RDONLY if bind["read_only"] else 0))


def bind_point(root: str, target: str, *, folder: bool) -> str:
    """Return the path of a file or folder of the image, made where it is not there.

    No link is followed, for it would lead to the host's files.
    """
    *parents, name = target.strip("/").split("/")
    path = root
    for part in (*parents, name) if folder else parents:
        path = f"{path}/{part}"
        if not os.path.lexists(path):
            os.mkdir(path)
        if not os.path.isdir(path) or os.path.islink(path):
            raise OSError(errno.ENOTDIR, f"{path.removeprefix(root)} of the image is no directory")
    if folder:
        return path
    path = f"{path}/{name}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644))
    return path


def enter(root: str) -> None:
    """Make `root` the root directory and let go of the old one."""
    os.chdir(root)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    check(LIBC.syscall(number, b".", b"."), "pivot_root")
    check(LIBC.umount2(b".", MNT_DETACH), "umount the old root")
    os.chdir("/")
