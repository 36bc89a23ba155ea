"""Seccomp, by which a process gives up system calls (``seccomp(2)``): the network, new programs, other processes.

What decoders need is left alone, threads included; the rest of what a process could do to others is refused with
``EPERM``. A list of what is allowed would be stricter, and would break with each new version of a library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_FILTER, _ALL_THREADS = 1, 1

#: Refused, by number on x86_64 and on aarch64; None where the architecture has no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # The network, and sockets of other processes.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "accept": (43, 202),
    "accept4": (288, 242),
    "bind": (49, 200),
    "listen": (50, 201),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    # Other programs.
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "setpriority": (141, 140),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # The machine, and ways around the above.
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "personality": (135, 92),
}
_CLONE, _CLONE3 = {"x86_64": 56, "aarch64": 220}, {"x86_64": 435, "aarch64": 435}
_PRLIMIT, _TGKILL = {"x86_64": 302, "aarch64": 261}, {"x86_64": 234, "aarch64": 131}
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000  # numbers from here on are those of another interface

# Classic BPF: https://www.kernel.org/doc/html/latest/networking/filter.html
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # where they stand in ``struct seccomp_data``; its low half, little-endian
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def known() -> bool:
    """Return whether there is a filter for this architecture, and the kernel takes filters."""
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail") as file:
            return platform.machine() in _ARCHITECTURE and "errno" in file.read().split()
    except OSError:
        return False


def restrict() -> None:
    """Give up system calls, in all threads; this process must have given up new privileges.

    Raises:
        OSError: The kernel does not do it, or there is no filter for this architecture.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURE:
        raise OSError(errno.ENOSYS, f"there is no filter of system calls for {machine}")
    steps = b"".join(struct.pack("HBBI", *step) for step in _program(machine))
    program = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    number = _SECCOMP_CALL[machine]
    if libc.syscall(number, ctypes.c_uint(_FILTER), ctypes.c_uint(_ALL_THREADS), ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _program(machine: str) -> list[tuple[int, int, int, int]]:
    """Steps ``(code, jump if true, jump if false, value)``; jumps count the steps that are passed over."""
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    column = 0 if machine == "x86_64" else 1
    refused = [calls[column] for calls in _REFUSED.values()]
    program = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        refuse,
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        refuse,
        # C libraries try ``clone`` where this one is not there: its flags are in memory, where no filter can look.
        (_EQUAL, 0, 1, _CLONE3[machine]),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in refused:
        if number is not None:
            program += [(_EQUAL, 0, 1, number), refuse]
    # Threads, and no processes; limits of our own, and signals to ourselves.
    for number, test in (
        (_CLONE[machine], (_ANY_BIT, 1, 0, _CLONE_THREAD)),
        (_PRLIMIT[machine], (_EQUAL, 1, 0, 0)),
        (_TGKILL[machine], (_EQUAL, 1, 0, os.getpid())),
    ):
        program += [(_EQUAL, 0, 3, number), (_LOAD, 0, 0, _FIRST_ARGUMENT), test, refuse, (_LOAD, 0, 0, _NUMBER)]
    return [*program, (_RETURN, 0, 0, _ALLOW)]
