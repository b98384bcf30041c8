// Fails on purpose: walks off the end of its memory. It can't reach anybody else's.
#include "mma.h"

__attribute__((noinline)) static void walk(volatile uint8_t *place) {
    for (;;) *place++ = 0xAA;
}

int main(void) {
    static uint8_t home[16];
    mma_log_text("walking off");
    walk(home);
    return 0;
}
