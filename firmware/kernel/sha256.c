#include "kernel/sha256.h"

#include "kernel/bytes.h"

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t value, uint32_t by) { return value >> by | value << (32 - by); }

static uint32_t big_endian(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void compress(struct mma_sha256 *hash, const uint8_t *block) {
    uint32_t w[16]; // a window over the 64 words of the schedule: the kernel's stack is small
    uint32_t s[8];
    memcpy(s, hash->state, sizeof s);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t *word = &w[i & 15];
        if (i < 16) {
            *word = big_endian(block + 4 * i);
        } else {
            uint32_t a = w[(i + 1) & 15], b = w[(i + 14) & 15];
            *word += (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[(i + 9) & 15] +
                     (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        uint32_t one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                       ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + *word;
        uint32_t two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6];
        s[6] = s[5];
        s[5] = s[4];
        s[4] = s[3] + one;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = s[0];
        s[0] = one + two;
    }
    for (uint32_t i = 0; i < 8; i++) {
        hash->state[i] += s[i];
    }
}

void mma_sha256_start(struct mma_sha256 *hash) {
    static const uint32_t initial[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };
    memcpy(hash->state, initial, sizeof initial);
    hash->length = 0;
}

void mma_sha256_feed(struct mma_sha256 *hash, const uint8_t *data, uint32_t length) {
    while (length) {
        uint32_t used = hash->length & 63;
        uint32_t part = mma_min(64 - used, length);
        memcpy(hash->block + used, data, part);
        hash->length += part;
        data += part;
        length -= part;
        if ((hash->length & 63) == 0) {
            compress(hash, hash->block);
        }
    }
}

void mma_sha256_end(struct mma_sha256 *hash, uint8_t digest[MMA_DIGEST]) {
    uint32_t length = hash->length;
    uint32_t used = length & 63;
    hash->block[used++] = 0x80;
    if (used > 56) {
        memset(hash->block + used, 0, 64 - used);
        compress(hash, hash->block);
        used = 0;
    }
    memset(hash->block + used, 0, 64 - used);
    for (uint32_t i = 0; i < 5; i++) { // the length in bits, big-endian
        hash->block[59 + i] = (uint8_t)(i ? length << 3 >> (32 - 8 * i) : length >> 29);
    }
    compress(hash, hash->block);
    for (uint32_t i = 0; i < MMA_DIGEST; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i & 3)));
    }
}
