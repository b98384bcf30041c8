// From an architecture's reset to mma_main: the kernel's stack, .data and .bss. The names are the linker's
// (arch/link.ld).
#include "arch/arch.h"

#define PAINT 0xA5A5A5A5u // an untouched word of the stack
#define OWN 16            // words below this function's frame that may be its own

extern uint32_t mma_stack_low[], mma_stack_high[];
extern uint32_t mma_data_from[], mma_data_low[], mma_data_high[], mma_zero_low[], mma_zero_high[];

_Noreturn void mma_main(void);

// Written out in words: nothing else may be called before .data and .bss are there.
_Noreturn void mma_begin(void) {
    for (uint32_t *at = mma_stack_low; at < (uint32_t *)__builtin_frame_address(0) - OWN; at++) {
        *at = PAINT;
    }
    const uint32_t *from = mma_data_from;
    for (uint32_t *at = mma_data_low; at < mma_data_high; at++) {
        *at = *from++;
    }
    for (uint32_t *at = mma_zero_low; at < mma_zero_high; at++) {
        *at = 0;
    }
    mma_main();
}

uint32_t mma_stack_used(void) {
    const uint32_t *at = mma_stack_low;
    while (at < mma_stack_high && *at == PAINT) {
        at++;
    }
    return (uint32_t)((const uint8_t *)mma_stack_high - (const uint8_t *)at);
}
