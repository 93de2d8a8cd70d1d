"""A system call filter in the kernel's own format (classic BPF), written by hand so that no library is needed."""

from __future__ import annotations

import errno
import json
import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_NEW_NAMESPACES = 0x7E020000
_X32 = 0x40000000
_UNIX, _INTERNET = (1,), (1, 2, 10, 16)
"""Socket families: AF_UNIX; with AF_INET, AF_INET6 and AF_NETLINK."""

_REFUSED = {  # x86_64, aarch64
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "clock_adjtime": (305, 266), "clock_settime": (227, 112),
    "delete_module": (176, 106), "finit_module": (313, 273), "init_module": (175, 105), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "mount": (165, 40), "move_mount": (429, 429),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "reboot": (169, 142), "request_key": (249, 218), "setns": (308, 268), "settimeofday": (164, 170),
    "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97),
}  # fmt: skip
"""EPERM: nothing that research code needs."""

_ABSENT = {
    "bpf": (321, 280), "clone3": (435, 435), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282),
}  # fmt: skip
"""ENOSYS: programs then take their older way. clone3 hides its flags from a filter, so it has to go for clone to be checked."""

_METADATA = {
    "chmod": (90, None), "chown": (92, None), "fchmodat": (268, 53), "fchmodat2": (452, 452), "fchownat": (260, 54),
    "futimesat": (261, None), "lchown": (94, None), "utime": (132, None), "utimensat": (280, 88), "utimes": (235, None),
}  # fmt: skip
"""Pretended to succeed where Landlock alone stands between commands and files of the same user: it does not cover these."""
_ATTRIBUTES = {
    "lremovexattr": (198, 15), "lsetxattr": (189, 6), "removexattr": (197, 14), "removexattrat": (466, 466), "setxattr": (188, 5),
    "setxattrat": (463, 463), "file_setattr": (469, 469),
}  # fmt: skip
_CLONE, _SOCKET = (56, 220), (41, 198)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def program(*, internet: bool, metadata: bool = True) -> bytes | None:
    """The filter as an array of `struct sock_filter`; None on an architecture it is not written for.

    Refuses namespaces, mounts, tracing, keys, kernel modules, clocks, BPF, io_uring and every socket family but local ones;
    `internet`: IP too (where a network namespace already says how far that reaches). `metadata`: modes,
    owners and times of files may be set by path.
    """
    if platform.machine() not in _ARCHITECTURES:
        return None
    token, column = _ARCHITECTURES[platform.machine()]
    families = _INTERNET if internet else _UNIX
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, token), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    code += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    for numbers in _REFUSED.values():
        code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    for numbers in _ABSENT.values():
        code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    if not metadata:
        for optional in _METADATA.values():
            if (number := optional[column]) is not None:
                code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR)]
        for numbers in _ATTRIBUTES.values():
            code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    code += [(_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NEW_NAMESPACES)]
    code += [(_RETURN, 0, 0, _ERROR | errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    code += [(_EQUAL, 1, 0, _SOCKET[column]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in families:
        code += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    code += [(_RETURN, 0, 0, _ERROR | errno.EACCES)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def profile() -> str:
    """The same filter as a container engine's JSON profile: everything but what is refused or absent, and no new namespaces."""
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": sorted(_REFUSED), "action": "SCMP_ACT_ERRNO"},
                {"names": sorted(_ABSENT), "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
                *(
                    {
                        "names": ["clone"],
                        "action": "SCMP_ACT_ERRNO",
                        "args": [{"index": 0, "value": bit, "valueTwo": bit, "op": "SCMP_CMP_MASKED_EQ"}],
                    }
                    for bit in (1 << shift for shift in range(32))
                    if bit & _NEW_NAMESPACES
                ),
                *(
                    {
                        "names": ["socket"],
                        "action": "SCMP_ACT_ERRNO",
                        "errnoRet": errno.EACCES,
                        "args": [{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}],
                    }
                    for family in range(max(_INTERNET))
                    if family not in _INTERNET
                ),
                {
                    "names": ["socket"],
                    "action": "SCMP_ACT_ERRNO",
                    "errnoRet": errno.EACCES,
                    "args": [{"index": 0, "value": max(_INTERNET), "op": "SCMP_CMP_GT"}],
                },
            ],
        }
    )
