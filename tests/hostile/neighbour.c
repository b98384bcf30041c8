// The tenant next door. Every line of its log depends on all that it ever had in memory and in its variables, so
// whoever touches either, or its code, or its order of things, changes it. test: ground.py computes the same.
#include "mma.h"

static uint32_t kept[64];

int main(void) {
    uint32_t x = 1;
    for (;;) {
        uint32_t sum = 0;
        char line[8];
        for (int i = 0; i < 300; i++) {
            x = x * 1664525u + 1013904223u;
            kept[i & 63] += x;
        }
        for (int i = 0; i < 64; i++) sum = sum * 31 + kept[i];
        for (int i = 0; i < 8; i++) line[i] = "0123456789abcdef"[sum >> (28 - 4 * i) & 15];
        mma_log(line, sizeof line);
        mma_sleep_ms(20);
    }
}
