// An executor's registers while it doesn't run, all of them. The offsets are known to switch.S.
#ifndef MMA_CONTEXT_H
#define MMA_CONTEXT_H

#include <stdint.h>

struct mma_context {
    uint32_t pc;
    uint32_t ra;
    uint32_t sp;
    uint32_t registers[29]; // x3-x31
    uint32_t cause;         // mcause and mtval of what stopped it last
    uint32_t value;
};

#define MMA_ALIGN 16 // the ABI's stack; physical memory protection would take 4

// Where the code begins and ends, and the data, which begins there, ends; as pmpaddr has it, without the two lowest bits.
struct mma_protection {
    uint32_t bound[3];
};

#endif
