// The names under which the Arm EABI's compilers call memcpy and its kin (run-time ABI, section 4.3.4).
#include "kernel/bytes.h"

#define ALIASES(name)                                                                                                  \
    void name(void *to, const void *from, size_t length) { memcpy(to, from, length); }
ALIASES(__aeabi_memcpy)
ALIASES(__aeabi_memcpy4)
ALIASES(__aeabi_memcpy8)

void __aeabi_memmove(void *to, const void *from, size_t length) { memmove(to, from, length); }
void __aeabi_memset(void *to, size_t length, int value) { memset(to, value, length); }
void __aeabi_memset4(void *to, size_t length, int value) { memset(to, value, length); }
void __aeabi_memset8(void *to, size_t length, int value) { memset(to, value, length); }
void __aeabi_memclr(void *to, size_t length) { memset(to, 0, length); }
void __aeabi_memclr4(void *to, size_t length) { memset(to, 0, length); }
void __aeabi_memclr8(void *to, size_t length) { memset(to, 0, length); }
