"""Gives libmesos, built against OpenSSL 1.0, the OpenSSL 3 of this system, so that its master speaks TLS.

Of the functions that it calls nearly all are still there, by the same name and with the same arguments: a
jump leads to each. The rest was renamed, is done by OpenSSL 3 by itself, or is written out below.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

from emulation.master.stubs import Symbol

LIBRARIES = {"libssl.so.1.0.0": "libssl.so.3", "libcrypto.so.1.0.0": "libcrypto.so.3"}
"""What libmesos asks for, and what stands behind it."""

_RENAMED = {
    "SSL_get_peer_certificate": "SSL_get1_peer_certificate",
    "SSL_state": "SSL_get_state",
    "SSLv23_method": "TLS_method",
    "sk_new_null": "OPENSSL_sk_new_null",
    "sk_num": "OPENSSL_sk_num",
    "sk_pop_free": "OPENSSL_sk_pop_free",
    "sk_push": "OPENSSL_sk_push",
    "sk_value": "OPENSSL_sk_value",
}
"""OpenSSL's CHANGES.md, 1.1.0 and 3.0."""
_NEEDLESS = ("CRYPTO_num_locks", "CRYPTO_set_", "OPENSSL_add_all_", "SSL_library_init", "SSL_load_error_")
"""Locks and initialization: OpenSSL does that itself since 1.1.0. These give 1, for success."""
_CONTROL = "SSL_CTX_ctrl"

_HEAD = """
void *dlopen(const char *, int);
void *dlsym(void *, const char *);
__attribute__((visibility("hidden"))) void *mma_there[{count}];
"""
_JUMP = '__attribute__((naked)) void *{name}(void) {{ __asm__ volatile("jmp *mma_there+{offset}(%rip)"); }}\n'
# SSL_CTRL_OPTIONS (32) became a function; of its bits those that leave out versions still mean the same, and
# 1.0 has no TLS 1.3. SSL_CTRL_SET_ECDH_AUTO (94) is always on.
_CONTROLS = """
long SSL_CTX_ctrl(void *context, int command, long number, void *pointer) {{
    if (command == 94) return 1;
    if (command == 32) {{
        unsigned long versions = ((unsigned long)number & 0x1E400000ul) | 0x20000000ul;
        return (long)((unsigned long (*)(void *, unsigned long))mma_there[{options}])(context, versions);
    }}
    return ((long (*)(void *, int, long, void *))mma_there[{index}])(context, command, number, pointer);
}}
"""
_FILL = """
__attribute__((constructor)) static void mma_fill(void) {{
    static const char *const names[] = {{ {names} }};
    void *library = dlopen("{library}", 1);
    for (int i = 0; library && i < {count}; i++) mma_there[i] = dlsym(library, names[i]);
}}
"""


def is_here() -> bool:
    """Whether this system has OpenSSL 3."""
    try:
        for library in LIBRARIES.values():
            ctypes.CDLL(library)
    except OSError:
        return False
    return True


def source(symbols: Iterable[Symbol], library: str) -> str:
    """C text, for x86-64, that defines a library's symbols by way of OpenSSL 3's."""
    names = [each.name for each in symbols if each.library == library]
    needless = [name for name in names if name.startswith(_NEEDLESS)]
    there = [name for name in names if name not in needless]
    targets = [_RENAMED.get(name, name) for name in there] + ["SSL_CTX_set_options"]
    text = _HEAD.format(count=len(targets))
    for index, name in enumerate(there):
        if name == _CONTROL:
            text += _CONTROLS.format(options=len(targets) - 1, index=index)
        else:
            text += _JUMP.format(name=name, offset=8 * index)
    text += "".join(f"long {name}(void) {{ return 1; }}\n" for name in needless)
    quoted = ", ".join(f'"{name}"' for name in targets)
    return text + _FILL.format(names=quoted, library=LIBRARIES[library], count=len(targets))
