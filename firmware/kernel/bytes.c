// memcpy and its kin: the compiler calls them for structures and loops, and there is no libc.
#include "kernel/bytes.h"

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((((uintptr_t)target | (uintptr_t)source) & 3) == 0) {
        for (; length >= 4; length -= 4, target += 4, source += 4) {
            *(uint32_t *)(void *)target = *(const uint32_t *)(const void *)source;
        }
    }
    while (length--) {
        *target++ = *source++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t length) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target <= source) {
        while (length--) {
            *target++ = *source++;
        }
    } else {
        while (length--) {
            target[length] = source[length];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t length) {
    uint8_t *target = to;
    for (; length && (uintptr_t)target & 3; length--) {
        *target++ = (uint8_t)value;
    }
    uint32_t word = 0x01010101u * (uint8_t)value;
    for (; length >= 4; length -= 4, target += 4) {
        *(uint32_t *)(void *)target = word;
    }
    while (length--) {
        *target++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t length) {
    const uint8_t *a = left, *b = right;
    for (; length; length--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
