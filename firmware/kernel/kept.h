// What the kernel keeps over a reset that isn't a loss of power: in RAM that nobody clears.
#ifndef MMA_KEPT_H
#define MMA_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

struct mma_kept {
    uint32_t magic;
    uint32_t boots;        // since power came
    uint32_t reset;        // enum mma_reset that the kernel itself asked for, plus 1; 0: it asked for none
    int32_t slot;          // of the crash: which executor ran last, or -1
    struct mma_crash crash;
    uint32_t check; // sum of all before it
};

void mma_kept_boot(void);          // once, first
void mma_kept_alive(void);         // the kernel's thread has come round
// From the clock's interrupt, where that found the kernel itself at work: has it not come round for seconds?
bool mma_kept_hangs(uint64_t now);
uint32_t mma_kept_boots(void);
uint32_t mma_kept_cause(void);     // enum mma_reset
const struct mma_crash *mma_kept_crash(int32_t *slot); // NULL where the last boot didn't end in one
_Noreturn void mma_kept_restart(void); // a reset that is wanted

#endif
