#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make the XDP program that is pinned look like another shuntd's: _pins.py CONTROL abi|build

CONTROL is the pinned map of bpf/shunt_xdp.h's struct xdp_control. abi: its layout is another; build: the program
was another.
"""
import ctypes
import mmap
import os
import platform
import sys

BPF_OBJ_GET = 7
SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PLACES = {"abi": 8, "build": 120}  # offsets in struct xdp_control


class ObjGet(ctypes.Structure):
    _fields_ = [("pathname", ctypes.c_uint64), ("bpf_fd", ctypes.c_uint32), ("file_flags", ctypes.c_uint32)]


def obj_get(path):
    name = ctypes.create_string_buffer(os.fsencode(path))
    request = ObjGet(ctypes.addressof(name), 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_BPF, BPF_OBJ_GET, ctypes.byref(request), ctypes.sizeof(request))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return fd


fd = obj_get(sys.argv[1])
with mmap.mmap(fd, mmap.PAGESIZE) as control:
    if control[:8] != b"SSHTXDP1":
        sys.exit(f"{sys.argv[1]} is no control map: {control[:8]}")
    control[PLACES[sys.argv[2]]] ^= 1
