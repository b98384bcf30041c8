// An executor's log: the newest bytes of an endless stream, in a ring of its slot. Pure. Offsets in the stream go on at
// 0 after 2^32 - 1: one is before another if the way to it is shorter than 2^31.
#ifndef MMA_RING_H
#define MMA_RING_H

#include <stdint.h>

struct mma_ring {
    uint32_t end;     // bytes ever written
    uint32_t at;      // where the next byte goes
    uint32_t read;    // up to where somebody has read
    uint32_t dropped; // bytes overwritten before anybody read them
};

void mma_ring_write(struct mma_ring *ring, uint8_t *area, uint32_t size, const uint8_t *data, uint32_t length);

// Where the kept bytes from `offset` on begin: `offset` itself, or the oldest kept. Never past the end.
uint32_t mma_ring_from(const struct mma_ring *ring, uint32_t size, uint32_t offset);

// Somebody has read the bytes before `offset`.
void mma_ring_seen(struct mma_ring *ring, uint32_t offset);

// Up to `length` bytes from `offset` (of mma_ring_from), as one or two pieces: gives the length of the first, which
// starts at *at; the second one starts at the area's beginning.
uint32_t mma_ring_piece(const struct mma_ring *ring, uint32_t size, uint32_t offset, uint32_t length, uint32_t *at);

#endif
