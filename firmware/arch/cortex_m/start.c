// From reset to mma_main, and the vectors that every Cortex-M has. A chip's own follow in chips/*/vectors.c.
#include "arch/arch.h"
#include "kernel/bytes.h"
#include "kernel/config.h"
#include "registers.h"

extern uint32_t mma_stack_low[], mma_stack_high[];
extern uint32_t mma_data_from[], mma_data_low[], mma_data_high[], mma_zero_low[], mma_zero_high[];

_Noreturn void mma_main(void);
void mma_svc_handler(void);
void mma_pendsv_handler(void);
void mma_fault_handler(void);
void mma_systick_handler(void);

// Written out in words: nothing else may be called before .data and .bss are there.
__attribute__((used)) static _Noreturn void begin(void) {
    for (uint32_t *at = mma_stack_low; at < (uint32_t *)__builtin_frame_address(0) - 16; at++) {
        *at = 0xA5A5A5A5u;
    }
    const uint32_t *from = mma_data_from;
    for (uint32_t *at = mma_data_low; at < mma_data_high; at++) {
        *at = *from++;
    }
    for (uint32_t *at = mma_zero_low; at < mma_zero_high; at++) {
        *at = 0;
    }
#if MMA_FPU
    SCB_CPACR |= 0xF << 20; // floating point for all, before any interrupt
#endif
    mma_main();
}

// A debugger or loader may jump here with any stack pointer.
__attribute__((naked)) _Noreturn void mma_reset(void) {
    __asm volatile("ldr r0, =mma_stack_high\n\tmov sp, r0\n\tb %c0" ::"i"(begin));
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    [0] = mma_stack_high,
    [1] = mma_reset,
    [2 ... 6] = mma_fault_handler, // NMI, HardFault, MemManage, BusFault, UsageFault
    [11] = mma_svc_handler,
    [14] = mma_pendsv_handler,
    [15] = mma_systick_handler,
};
