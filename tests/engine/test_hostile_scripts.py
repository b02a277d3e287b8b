"""Maintainer scripts that mean harm, installed as lamina installs: nothing gets out.

Each attempt is harmless should it succeed: clocks are set to what they are, switches of the kernel
to what they were.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.engine.boxes import Installed, Workbench, mounts_of, processes_with, state
from tests.engine.test_sandbox import eventually, marker

from lamina.engine.sandbox import INSTALL_CAPABILITIES, SERVICE_CAPABILITIES

pytestmark = pytest.mark.real

SYSTEM_CALLS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "ADD_KEY": 248, "ADJTIMEX": 159, "BPF": 321, "CAPSET": 126, "CLOCK_SETTIME": 227,
        "CLONE": 56, "DELETE_MODULE": 176, "FINIT_MODULE": 313, "INIT_MODULE": 175,
        "IO_URING_SETUP": 425, "KEXEC_LOAD": 246, "KEYCTL": 250, "MKNODAT": 259, "MOUNT": 165,
        "OPEN_BY_HANDLE_AT": 304, "OPEN_TREE": 428, "PERF_EVENT_OPEN": 298, "PIVOT_ROOT": 155,
        "PROCESS_VM_READV": 310, "PTRACE": 101, "REBOOT": 169, "REQUEST_KEY": 249, "SETDOMAINNAME":
        171, "SETHOSTNAME": 170, "SETNS": 308, "SETTIMEOFDAY": 164, "SHMGET": 29, "SWAPON": 167,
        "SYSLOG": 103, "UMOUNT2": 166, "UNSHARE": 272, "USERFAULTFD": 323,
    },
    "aarch64": {
        "ADD_KEY": 217, "ADJTIMEX": 171, "BPF": 280, "CAPSET": 91, "CLOCK_SETTIME": 112,
        "CLONE": 220, "DELETE_MODULE": 106, "FINIT_MODULE": 273, "INIT_MODULE": 105,
        "IO_URING_SETUP": 425, "KEXEC_LOAD": 104, "KEYCTL": 219, "MKNODAT": 33, "MOUNT": 40,
        "OPEN_BY_HANDLE_AT": 265, "OPEN_TREE": 428, "PERF_EVENT_OPEN": 241, "PIVOT_ROOT": 41,
        "PROCESS_VM_READV": 270, "PTRACE": 117, "REBOOT": 142, "REQUEST_KEY": 218, "SETDOMAINNAME":
        162, "SETHOSTNAME": 161, "SETNS": 268, "SETTIMEOFDAY": 170, "SHMGET": 194, "SWAPON": 224,
        "SYSLOG": 116, "UMOUNT2": 39, "UNSHARE": 97, "USERFAULTFD": 282,
    },
}  # fmt: skip

# `attempt` prints one line; `call` returns whether a system call succeeded.
PERL = """#!/usr/bin/perl
use Socket; use Fcntl; use POSIX;
$| = 1;
sub attempt {
    my ($name, $code) = @_;
    $! = 0;
    my $got = eval { $code->() };
    print "ATTEMPT $name: ", ($@ ? "broken: $@" : $got ? "LET THROUGH" : "refused: $!"), "\\n";
}
sub call { my ($number, @rest) = @_; return syscall($number, @rest) >= 0 }
sub put { my ($path, $text) = @_; open(my $f, '>', $path) or return 0; my $n = syswrite($f, $text);
    return close($f) && $n }
sub get { my ($path) = @_; open(my $f, '<', $path) or return 0; sysread($f, my $text, 64);
    return $text }
"""

# How the kernel says no. Not `Bad address` and the like: with those nothing was tried.
NO = {"Operation not permitted", "Permission denied", "Read-only file system"}
# What a kernel was made without.
ABSENT = {"Function not implemented"}
# What is looked for in the sandbox and not found.
NOTHING = {
    "",
    "Address family not supported by protocol",
    "Connection refused",
    "Invalid cross-device link",
    "Network is unreachable",
    "No such file or directory",
}
LOOKING = ("find", "use", "climb", "press", "read the kernel", "see", "speak", "reach", "link")

# Name to what is tried; true is success.
ATTEMPTS = {
    "mount a file system": 'call(MOUNT, "none", "/srv", "tmpfs", 0, 0)',
    "mount the processes": 'call(MOUNT, "proc", "/srv", "proc", 0, 0)',
    "bind the store elsewhere": 'call(MOUNT, "/tmp/.lamina", "/srv", "none", 4096, 0)',
    "remount the store": 'call(MOUNT, "none", "/tmp/.lamina/units", "none", 32 | 4096, 0)',
    "remount the root": 'call(MOUNT, "none", "/", "none", 32, 0)',
    "take the store's mount away": 'call(UMOUNT2, "/tmp/.lamina/units", 2)',
    "take the cover of /proc/sys away": 'call(UMOUNT2, "/proc/sys", 2)',
    "take the cover of /proc/keys away": 'call(UMOUNT2, "/proc/keys", 2)',
    "copy a mount": 'call(OPEN_TREE, -100, "/tmp/.lamina/units", 1)',
    "turn the root": 'call(PIVOT_ROOT, "/tmp", "/tmp")',
    "make a disk": 'call(MKNODAT, -100, "/root/disk", 060666, DISK)',
    "make a disk in /dev": 'call(MKNODAT, -100, "/dev/disk", 060666, DISK)',
    "make a disk in /tmp": 'call(MKNODAT, -100, "/tmp/disk", 060666, DISK)',
    "make the memory": 'call(MKNODAT, -100, "/dev/mem", 020666, 257)',
    "make a whiteout": 'call(MKNODAT, -100, "/root/whiteout", 020666, 0)',
    "open a device that lay below": 'get("/srv/zero")',
    "open by handle": 'call(OPEN_BY_HANDLE_AT, 0, pack("Iix64", 8, 1), 0)',
    "load a module": 'call(INIT_MODULE, "none", 4, "")',
    "load a module from a file": 'call(FINIT_MODULE, 0, "", 0)',
    "unload a module": 'call(DELETE_MODULE, "none", 2048)',
    "load another kernel": "call(KEXEC_LOAD, 0, 0, 0, 0)",
    "set the clock": 'call(CLOCK_SETTIME, 0, pack("qq", time, 0))',
    "set the time of day": 'call(SETTIMEOFDAY, pack("qq", time, 0), 0)',
    "turn the clock": 'call(ADJTIMEX, pack("Ix4qx192", 1, 0))',
    "set the host name": 'call(SETHOSTNAME, "evil", 4)',
    "set the domain name": 'call(SETDOMAINNAME, "evil", 4)',
    "set the host name by /proc": 'put("/proc/sys/kernel/hostname", "evil")',
    "set a switch of the kernel": 'put("/proc/sys/kernel/panic", get("/proc/sys/kernel/panic"))',
    "set where memory images go": (
        'put("/proc/sys/kernel/core_pattern", get("/proc/sys/kernel/core_pattern"))'
    ),
    "forward packets": 'put("/proc/sys/net/ipv4/ip_forward", "0")',
    "press a key of the kernel": 'put("/proc/sysrq-trigger", "h")',
    "bind interrupts": 'my $p = "/proc/irq/default_smp_affinity"; put($p, get($p))',
    "read the kernel's memory": 'get("/proc/kcore")',
    "read the kernel's keys": 'get("/proc/keys")',
    "read the kernel's log": 'get("/proc/kmsg")',
    "read the kernel's log by a call": 'call(SYSLOG, 3, my $b = " " x 64, 64)',
    "see what the machine's kernel exports": 'get("/sys/kernel/uevent_helper") || -d "/sys/class"',
    "restart": "call(REBOOT, 0xfee1dead, 0x28121969, 0, 0)",
    "swap": 'call(SWAPON, "/etc/passwd", 0)',
    "take more capabilities": (
        'call(CAPSET, pack("Ii", 0x20080522, 0), pack("I6", (0xffffffff, 0xffffffff, 0) x 2))'
    ),
    "be spared by the kernel": 'put("/proc/self/oom_score_adj", "-1000")',
    "go before others": "setpriority(0, 0, -20)",
    "become root of a new user namespace": "call(UNSHARE, 0x10000000)",
    "make a process in a new user namespace": "call(CLONE, 0x10000000 | 17, 0, 0, 0, 0)",
    "make a mount namespace": "call(UNSHARE, 0x00020000)",
    "make a network namespace": "call(UNSHARE, 0x40000000)",
    "enter a namespace": 'open($f, "<", "/proc/self/ns/net") && call(SETNS, fileno($f), 0)',
    "enter the first process's namespace": (
        'open($f, "<", "/proc/1/ns/mnt") && call(SETNS, fileno($f), 0)'
    ),
    "add a key": 'call(ADD_KEY, "user", "evil", "x", 1, -3)',
    "read a keyring": "call(KEYCTL, 0, -5, 0)",
    "join a keyring": "call(KEYCTL, 1, 0)",
    "ask for a key": 'call(REQUEST_KEY, "user", "x", 0, 0)',
    "run a program in the kernel": 'call(BPF, 0, pack("x128"), 128)',
    "watch the processor": 'call(PERF_EVENT_OPEN, pack("IIx112", 1, 120), 0, -1, -1, 0)',
    "serve page faults": "call(USERFAULTFD, 1)",
    "make system calls by a ring": 'call(IO_URING_SETUP, 1, my $r = "\\0" x 256)',
    "speak to the hypervisor": "socket($s, 40, 1, 0)",
    "type for the user": 'ioctl(STDOUT, 0x5412, my $c = "x")',
    # Seized and not attached to: that would stop it, and this test with it.
    "trace the first process": "call(PTRACE, 0x4206, 1, 0, 0)",
    "read the first process's memory": (
        'my ($to, $from) = (pack("PQ", my $b = " " x 8, 8), pack("QQ", 4096, 8)); '
        "call(PROCESS_VM_READV, 1, $to, 1, $from, 1, 0)"
    ),
    "open the first process's memory": 'open($f, "<", "/proc/1/mem")',
    "read lamina's environment": 'get("/proc/1/environ")',
    "enter the first process's root": 'chdir("/proc/1/root")',
    "enter the first process's folder": 'chdir("/proc/1/cwd")',
    "use the first process's files": 'grep { open($f, ">>", $_) } glob("/proc/1/fd/*")',
    "use any other process's root": (
        'grep { -e "$_$ENV{HOST}" || -e "$_/../..$ENV{HOST}" } glob("/proc/*/root /proc/*/cwd")'
    ),
    "find the machine's files": 'grep { -e $_ } $ENV{HOST}, "/proc/self/root$ENV{HOST}"',
    "climb out of a root": (
        'mkdir "/x"; opendir($up, "/"); chroot("/x"); chdir($up); chdir("..") for 1 .. 64; '
        'chroot("."); my $found = -e $ENV{HOST}; $found'
    ),
    "find shared memory": "call(SHMGET, $ENV{KEY} + 0, 0, 0)",
    "find shared files": '-e "/dev/shm/$ENV{MARK}"',
    "find the machine's processes": (
        'grep { (get($_) // "") =~ /$ENV{MARK}/ } glob("/proc/[0-9]*/cmdline")'
    ),
    "reach a port of the machine": (
        'socket($s, AF_INET, SOCK_STREAM, 0) && '
        'connect($s, pack_sockaddr_in($ENV{PORT}, inet_aton("127.0.0.1")))'
    ),
    "reach an address far away": (
        'socket($s, AF_INET, SOCK_DGRAM, 0) && '
        'connect($s, pack_sockaddr_in(53, inet_aton("192.0.2.1")))'
    ),
    "reach an abstract socket of the machine": (
        'socket($s, AF_UNIX, SOCK_STREAM, 0) && connect($s, pack("Sxa*", 1, $ENV{MARK}))'
    ),
    "write a new file into the store": 'put("/tmp/.lamina/units/evil", "x")',
    "write a download": 'put("/tmp/.lamina/packages/evil", "x")',
    "write into its own unit": 'put((glob("/tmp/.lamina/units/*/tree/usr/share/own"))[0], "x")',
    "remove its own husk": 'unlink(glob("/tmp/.lamina/units/*/husk.deb"))',
    "rename units": 'rename((glob("/tmp/.lamina/units/*"))[0], "/tmp/.lamina/units/evil")',
    "change a unit's mode": 'chmod(0777, glob("/tmp/.lamina/units/*/tree/usr/share/own"))',
    "change a unit's owner": 'chown(7, 7, glob("/tmp/.lamina/units/*/tree/usr/share/own"))',
    "change a unit's times": 'utime(1, 1, glob("/tmp/.lamina/units/*/tree/usr/share/own"))',
    "link to a unit": 'link((glob("/tmp/.lamina/units/*/husk.deb"))[0], "/root/husk")',
    "write into the store by another name": (
        'open($d, "<", (glob("/tmp/.lamina/units/*/husk.deb"))[0]) && '
        'open($f, ">>", "/proc/self/fd/" . fileno($d))'
    ),
}  # fmt: skip


def host_disk() -> int:
    """Return the number of a disk of this machine, as mknod(2) takes it."""
    lines = Path("/proc/partitions").read_text().split("\n")[2:]
    fields = next((line.split() for line in lines if line), ["7", "0"])
    return os.makedev(int(fields[0]), int(fields[1]))


def perl(body: str, variables: Mapping[str, str] | None = None) -> str:
    """Return a script with the helpers, the machine's numbers and these variables."""
    numbers = "".join(
        f"sub {name} {{ {number} }}\n" for name, number in SYSTEM_CALLS[platform.machine()].items()
    )
    given = "".join(f"$ENV{{{name}}} = '{value}';\n" for name, value in (variables or {}).items())
    return f"{PERL}{numbers}sub DISK {{ {host_disk()} }}\n{given}{body}\nexit 0;\n"


class Machine:
    """This machine as the scripts look for it: a port, sockets, memory, a process, files."""

    def __init__(self, folder: Path) -> None:
        self.mark = marker()
        self.secret = folder / "secret"
        self.secret.write_text("secret")
        self.shared = Path("/dev/shm", self.mark)
        self.shared.touch()
        self.connections: list[str] = []
        self.port = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind(f"\0{self.mark}")
        self.abstract.listen()
        for server in (self.port, self.abstract):
            threading.Thread(target=self.accept, args=(server,), daemon=True).start()
        self.libc = ctypes.CDLL(None)
        self.key = 0x1A000000 | os.getpid() & 0xFFFFFF
        self.memory = self.libc.shmget(self.key, 4096, 0o1666)
        self.process = subprocess.Popen(["sleep", self.mark])

    def accept(self, server: socket.socket) -> None:
        try:
            while True:
                self.connections.append(str(server.accept()))
        except OSError:
            return  # closed: the test is over

    def check(self) -> None:
        """See that all of it can be found from outside."""
        assert self.libc.shmget(self.key, 0, 0) == self.memory
        assert self.shared.exists()
        assert eventually(lambda: bool(processes_with(self.mark)))
        for server in (self.port, self.abstract):
            with socket.socket(server.family) as client:
                client.connect(server.getsockname())
        assert eventually(lambda: len(self.connections) == 2)
        self.connections.clear()

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "HOST": str(self.secret),
            "KEY": str(self.key),
            "MARK": self.mark,
            "PORT": str(self.port.getsockname()[1]),
        }

    def close(self) -> None:
        for server in (self.port, self.abstract):
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        self.shared.unlink()
        self.libc.shmctl(self.memory, 0, None)
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def workbench(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A bench whose root has a device in it, as the tree of a foreign package might."""
    folder = tmp_path_factory.mktemp("hostile")
    return Workbench(root=root, folder=folder)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        machine.check()
        yield machine
    finally:
        machine.close()


@pytest.fixture(scope="module", params=["as in a build", "as in a test of an image"])
def outcome(request: pytest.FixtureRequest, workbench: Workbench, machine: Machine) -> Installed:
    """All attempts made by one package, first as a preinst, then as a postinst."""
    service = request.param == "as in a test of an image"
    body = "".join(f"attempt('{name.replace(chr(39), '')}', sub {{ {code} }});\n"
                   for name, code in ATTEMPTS.items())  # fmt: skip
    script = perl(body, machine.variables)
    package = workbench.package(
        "hostile",
        {"preinst": script, "postinst": script},
        {"/usr/share/own": "own\n", "/etc/own": "own\n"},
    )
    # What a package must not have, an image that was made elsewhere may.
    lower = Path(mkdtemp(dir=workbench.folder))
    (lower / "srv").mkdir()
    os.mknod(lower / "srv/zero", 0o020666, os.makedev(1, 5))
    return workbench.install(
        package,
        above=[lower],
        capabilities=SERVICE_CAPABILITIES if service else INSTALL_CAPABILITIES,
        loopback=service,
    )


def test_the_package_itself_is_installed(outcome: Installed) -> None:
    assert outcome.good, outcome.log
    assert outcome.log.count("ATTEMPT ") == 2 * len(ATTEMPTS)
    status = (outcome.upper / "var/lib/dpkg/status").read_text()
    assert "Package: hostile\nStatus: install ok installed\n" in status
    assert (outcome.upper / "etc/own").read_text() == "own\n"
    assert not (outcome.upper / "usr/share/own").exists()


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_refused(name: str, outcome: Installed) -> None:
    name = name.replace("'", "")
    lines = [line for line in outcome.log.splitlines() if line.startswith(f"ATTEMPT {name}: ")]
    assert len(lines) == 2
    reasons = NO | ABSENT | (NOTHING if name.startswith(LOOKING) else set())
    assert {line.removeprefix(f"ATTEMPT {name}: refused: ") for line in lines} <= reasons


def test_nothing_outside_has_changed(outcome: Installed, machine: Machine) -> None:
    assert machine.connections == []
    assert machine.process.poll() is None
    assert machine.secret.read_text() == "secret"
    assert socket.gethostname() != "evil"
    assert state(outcome.store) == outcome.before
    assert not mounts_of(outcome.store)
    keys = Path("/proc/keys")
    assert not keys.exists() or "evil" not in keys.read_text()


def test_nothing_of_an_attempt_is_in_the_image_but_what_the_script_made(
    outcome: Installed,
) -> None:
    assert not (outcome.upper / "root").exists()
    assert not (outcome.upper / "dev").exists() or not list((outcome.upper / "dev").iterdir())
    assert not (outcome.upper / "tmp").exists() or not list((outcome.upper / "tmp").iterdir())


def test_killing_everything_kills_nothing_outside(workbench: Workbench, machine: Machine) -> None:
    outside = Path("/proc/self/ns/pid").readlink()
    script = perl(
        f"""
        my $own = readlink("/proc/self/ns/pid");
        if ($own eq "{outside}") {{ print "NO NAMESPACE\\n"; exit 0 }}
        kill($_, 1) for 1 .. 31;
        print "TRYING\\n";
        kill(9, -1);
        print "ALONE\\n";
        """
    )
    installed = workbench.install(workbench.package("killer", {"postinst": script}))
    assert "NO NAMESPACE" not in installed.log
    assert "TRYING" in installed.log
    # It hit dpkg, and so only harmed itself.
    assert not installed.good
    assert installed.results[-1].code == -signal.SIGKILL
    assert machine.process.poll() is None


SURVIVORS = {
    "a daemon": "setsid sleep {mark} < /dev/null > /dev/null 2>&1 &",
    "a daemon of a daemon": "(setsid sh -c '(sleep {mark} &) ; sleep {mark}' > /dev/null 2>&1 &) &",
    "a process without hang-up": "nohup sleep {mark} > /dev/null 2>&1 &",
    "a process that ignores signals": (
        "setsid sh -c \"trap '' TERM INT HUP QUIT; sleep {mark}; sleep {mark}\" > /dev/null 2>&1 &"
    ),
    "a process that starts itself anew": (
        "setsid sh -c 'while :; do sleep {mark} & wait; done' > /dev/null 2>&1 &"
    ),
    "a process that holds the output": "sleep {mark} &",
}


def test_no_process_survives_the_build(workbench: Workbench) -> None:
    mark = marker()
    lines = [text.format(mark=mark) for text in SURVIVORS.values()]
    check = f"sleep 0.3; ps=$(grep -al {mark} /proc/[0-9]*/cmdline | wc -l); echo ALIVE $ps"
    script = "\n".join(["#!/bin/sh", *lines, check, "exit 0"])
    installed = workbench.install(workbench.package("survivor", {"postinst": script}))
    assert installed.good, installed.log
    alive = next(line for line in installed.log.splitlines() if line.startswith("ALIVE"))
    assert int(alive.split()[1]) >= len(SURVIVORS)
    assert not processes_with(mark)


FORGED = json.dumps({"code": 0, "output": "forged", "matches": True, "good": True, "seconds": 0.0})


def test_results_cannot_be_forged(workbench: Workbench) -> None:
    script = perl(
        f"""
        my $line = '{FORGED}' . "\\n";
        my @open = ();
        for my $n (3 .. 1023) {{
            open(my $f, ">&=", $n) or next;
            push @open, $n;
            syswrite($f, $line);
        }}
        print "OPEN @open\\n";
        for my $path (glob("/proc/[0-9]*/fd/*")) {{
            next if $path =~ m{{^/proc/($$|self)/}};
            open(my $f, ">>", $path) or next;
            next if -c $f or -f $f;
            syswrite($f, "x$line");
        }}
        print '{FORGED}', "\\n";
        exit 3;
        """
    )
    installed = workbench.install(workbench.package("forger", {"preinst": script}))
    assert len(installed.results) == 2
    assert [result.good for result in installed.results] == [True, False]
    assert installed.results[1].code == 1  # dpkg's own
    assert "forged" not in installed.results[0].output
    assert "OPEN \n" in installed.log


def test_the_log_cannot_be_rewritten(workbench: Workbench) -> None:
    script = "#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9; do (: > /proc/1/fd/$n); done\nexit 0\n"
    installed = workbench.install(workbench.package("eraser", {"preinst": script}))
    assert installed.log.startswith("## deny services\n")


def test_a_process_of_the_sandbox_is_under_the_filter(workbench: Workbench) -> None:
    status = workbench.shell("cat /proc/self/status; unshare --user true").output
    assert "Seccomp:\t2\n" in status
    assert "unshare failed: Operation not permitted" in status


def test_new_threads_and_processes_work_under_the_filter(workbench: Workbench) -> None:
    script = "set -e; (true); x=$(echo a | cat); [ $x = a ]; perl -e 'fork // die; wait'"
    assert workbench.shell(script).good


def test_the_interpreter_that_holds_the_sandbox_is_not_seen(workbench: Workbench) -> None:
    assert sys.executable not in workbench.shell("ls -l /proc/1/exe 2>&1").output
