// Reset, and the vectors that every Cortex-M has. A chip's own follow in chips/*/vectors.c.
#include "arch/arch.h"
#include "kernel/config.h"

extern uint32_t mma_stack_high[];

void mma_svc_handler(void);
void mma_pendsv_handler(void);
void mma_fault_handler(void);
void mma_systick_handler(void);

// A debugger or loader may jump here with any stack pointer.
__attribute__((naked)) _Noreturn void mma_reset(void) {
    __asm volatile("ldr r0, =mma_stack_high\n\tmov sp, r0\n\tldr r0, =mma_begin\n\tbx r0");
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    [0] = mma_stack_high,
    [1] = mma_reset,
    [2 ... 6] = mma_fault_handler, // NMI, HardFault, MemManage, BusFault, UsageFault
    [11] = mma_svc_handler,
    [14] = mma_pendsv_handler,
#if MMA_SYSTICK
    [15] = mma_systick_handler,
#endif
};
