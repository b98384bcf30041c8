// An executor's registers while it doesn't run. The other half (r0-r3, r12, lr, pc, xPSR, s0-s15) lies on its own
// stack, where the hardware put it on the exception. The offsets are known to switch.S.
#ifndef MMA_CONTEXT_H
#define MMA_CONTEXT_H

#include <stdint.h>

struct mma_context {
    uint32_t sp; // right below it s16-s31 are, where exception_return bit 4 is clear
    uint32_t exception_return;
    uint32_t registers[8]; // r4-r11
    uint32_t limit;        // low end of its stack
};

#if MMA_MPU

#define MMA_REGIONS 8
#define MMA_ALIGN 32 // the MPU's finest step: an eighth of a 256-byte region

// Regions of the MPU, packed: where = address bits 31:8 and the disabled subregions in bits 7:0;
// what = log2 of the size, bit 7 set where it is code.
struct mma_protection {
    uint32_t where[MMA_REGIONS];
    uint8_t what[MMA_REGIONS];
};

#else

#define MMA_ALIGN 8

struct mma_protection {
    uint8_t none;
};

#endif

#endif
