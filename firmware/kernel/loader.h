// An image being uploaded: a stream of records (u32 address, u32 length, bytes), in pieces of any size. Pure.
#ifndef MMA_LOADER_H
#define MMA_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/sha256.h"

// Addresses that a record may fill, and where they are (on the device, there).
struct mma_window {
    struct mma_run run;
    uint8_t *bytes;
};

struct mma_loader {
    struct mma_sha256 hash;
    uint32_t received;
    uint8_t head[8]; // of the record that comes
    uint8_t *to;     // where its next byte goes
    uint32_t left;   // of its bytes
    uint8_t have;    // of its head
};

void mma_loader_start(struct mma_loader *loader);

// False if a record leaves the windows. What it fed before stays written.
bool mma_loader_feed(struct mma_loader *loader, const struct mma_window *windows, uint32_t count, const uint8_t *data,
                     uint32_t length);

// The stream is over. False if it is in the middle of a record.
bool mma_loader_end(struct mma_loader *loader, uint8_t digest[MMA_DIGEST]);

#endif
