// Bytes: what string.h would offer, and little-endian words at any address.
#ifndef MMA_BYTES_H
#define MMA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);

static inline uint32_t mma_get32(const uint8_t *from) {
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static inline uint32_t mma_min(uint32_t a, uint32_t b) { return a < b ? a : b; }
static inline uint32_t mma_max(uint32_t a, uint32_t b) { return a > b ? a : b; }

// `value` rounded up to a multiple of `step`, a power of two. Wraps past 2^32: check ranges before.
static inline uint32_t mma_align(uint32_t value, uint32_t step) { return (value + step - 1) & ~(step - 1); }

#endif
