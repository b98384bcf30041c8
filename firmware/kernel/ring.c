#include "kernel/ring.h"

#include "kernel/bytes.h"

void mma_ring_write(struct mma_ring *ring, uint8_t *area, uint32_t size, const uint8_t *data, uint32_t length) {
    ring->end += length;
    uint32_t unread = ring->end - ring->read;
    if (unread > size) {
        ring->dropped += unread - size;
        ring->read = ring->end - size;
    }
    if (length > size) {
        data += length - size; // the rest would overwrite itself
        length = size;
    }
    uint32_t first = mma_min(length, size - ring->at);
    memcpy(area + ring->at, data, first);
    memcpy(area, data + first, length - first);
    ring->at += length;
    if (ring->at >= size) {
        ring->at -= size;
    }
}

uint32_t mma_ring_from(const struct mma_ring *ring, uint32_t size, uint32_t offset) {
    uint32_t kept = mma_min(ring->end, size), back = ring->end - offset;
    if ((int32_t)back < 0) {
        return ring->end;
    }
    return back > kept ? ring->end - kept : offset;
}

void mma_ring_seen(struct mma_ring *ring, uint32_t offset) {
    if ((int32_t)(offset - ring->read) > 0) {
        ring->read = offset;
    }
}

uint32_t mma_ring_piece(const struct mma_ring *ring, uint32_t size, uint32_t offset, uint32_t length, uint32_t *at) {
    uint32_t back = ring->end - offset; // not more than size
    *at = ring->at >= back ? ring->at - back : ring->at + size - back;
    return mma_min(length, size - *at);
}
