// HMAC-SHA256 (RFC 2104) over what a request asks, the boot it is for, and a counter that only rises. docs/link.md.
#include "kernel/auth.h"

#include "kernel/bytes.h"
#include "kernel/server.h"
#include "kernel/sha256.h"

static uint32_t counter;

uint32_t mma_proof_counter(void) { return counter; }

bool mma_key_is_open(void) {
    static const uint8_t begins[] = {'m', 'm', 'a', ' ', 'd', 'e', 'v', 'e'}; // as no random key does
    return memcmp(mma_device_key, begins, sizeof begins) == 0;
}

static void begin(struct mma_sha256 *hash, uint8_t pad) {
    uint8_t block[64];
    for (uint32_t i = 0; i < sizeof block; i++) {
        block[i] = (uint8_t)((i < MMA_DEVICE_KEY ? mma_device_key[i] : 0) ^ pad);
    }
    mma_sha256_start(hash);
    mma_sha256_feed(hash, block, sizeof block);
}

void mma_key_id(uint8_t id[MMA_KEY_ID]) {
    struct mma_sha256 hash;
    uint8_t digest[MMA_DIGEST];
    mma_sha256_start(&hash);
    mma_sha256_feed(&hash, mma_device_key, MMA_DEVICE_KEY);
    mma_sha256_end(&hash, digest);
    memcpy(id, digest, MMA_KEY_ID);
}

static void feed32(struct mma_sha256 *hash, uint32_t value) {
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    mma_sha256_feed(hash, bytes, sizeof bytes);
}

// Not inlined: all this is on the stack only while no resource works.
__attribute__((noinline)) static bool agrees(const struct mma_coap *request, uint32_t count) {
    struct mma_sha256 hash;
    uint8_t digest[MMA_DIGEST], differs = 0, depth = request->depth;
    begin(&hash, 0x36);
    feed32(&hash, mma_boot_id());
    feed32(&hash, count);
    mma_sha256_feed(&hash, &request->code, 1);
    mma_sha256_feed(&hash, &depth, 1);
    for (uint32_t i = 0; i < depth && i < MMA_PATH_DEPTH; i++) {
        feed32(&hash, request->path[i].length);
        mma_sha256_feed(&hash, request->path[i].data, request->path[i].length);
    }
    mma_sha256_feed(&hash, request->payload.data, request->payload.length);
    mma_sha256_end(&hash, digest);
    begin(&hash, 0x5C);
    mma_sha256_feed(&hash, digest, sizeof digest);
    mma_sha256_end(&hash, digest);
    for (uint32_t i = 0; i < MMA_PROOF - 4; i++) { // however much agrees, it takes the same time
        differs |= (uint8_t)(digest[i] ^ request->proof.data[4 + i]);
    }
    return differs == 0;
}

bool mma_proven(const struct mma_coap *request) {
    const uint8_t *proof = request->proof.data;
    if (request->proof.length != MMA_PROOF) {
        return false;
    }
    uint32_t count = (uint32_t)proof[0] << 24 | (uint32_t)proof[1] << 16 | (uint32_t)proof[2] << 8 | proof[3];
    if (count <= counter || !agrees(request, count)) {
        return false;
    }
    counter = count;
    return true;
}
