// What this architecture asks of its chips beside chip.h, and what its files share.
#ifndef MMA_RISCV_H
#define MMA_RISCV_H

#include <stdint.h>

#define MMA_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

// -- the chip's --------------------------------------------------------------------------------------------------

uint32_t mma_chip_mtime_hz(void); // how fast mtime counts
void mma_chip_interrupt(void);    // an external interrupt: ask the interrupt controller which, and serve it
_Noreturn void mma_chip_restart(void);

// -- clint.c -----------------------------------------------------------------------------------------------------

void mma_timer_interrupt(void);
uint64_t mma_clint_now(void); // mtime

// -- control and status registers (Privileged Architecture 1.10, chapter 3) --------------------------------------

#define MMA_CSR_READ(name)                                                                                             \
    ({                                                                                                                 \
        uint32_t value;                                                                                                \
        __asm volatile("csrr %0, " name : "=r"(value));                                                                \
        value;                                                                                                         \
    })
#define MMA_CSR_WRITE(name, value) __asm volatile("csrw " name ", %0" ::"r"(value) : "memory")
#define MMA_CSR_SET(name, bits) __asm volatile("csrs " name ", %0" ::"r"(bits) : "memory")

enum {
    MSTATUS_MIE = 1 << 3,
    MIE_TIMER = 1 << 7,
    MIE_EXTERNAL = 1 << 11,
    CAUSE_TIMER = 7,    // of interrupts
    CAUSE_EXTERNAL = 11,
};

#endif
