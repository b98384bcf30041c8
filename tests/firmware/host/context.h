// The architecture "this computer", for the kernel's hardware-free parts under test. Takes the MPU's types, so that
// arch/cortex_m/plan.c can be tried too.
#ifndef MMA_CONTEXT_H
#define MMA_CONTEXT_H

#include <stdint.h>

struct mma_context {
    uint32_t sp;
};

#define MMA_REGIONS 8
#define MMA_ALIGN 32

struct mma_protection {
    uint32_t where[MMA_REGIONS];
    uint8_t what[MMA_REGIONS];
};

#endif
