// SHA-256 (FIPS 180-4), fed piece by piece. Pure.
#ifndef MMA_SHA256_H
#define MMA_SHA256_H

#include <stdint.h>

#define MMA_DIGEST 32

struct mma_sha256 {
    uint32_t state[8];
    uint32_t length; // bytes so far; images are far below 2^29
    uint8_t block[64];
};

void mma_sha256_start(struct mma_sha256 *hash);
void mma_sha256_feed(struct mma_sha256 *hash, const uint8_t *data, uint32_t length);
void mma_sha256_end(struct mma_sha256 *hash, uint8_t digest[MMA_DIGEST]);

#endif
