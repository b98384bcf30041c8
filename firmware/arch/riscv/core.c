// Contexts, host calls and faults of executors; locks and wake-ups of the kernel.
#include "arch/arch.h"
#include "kernel/bytes.h"
#include "riscv.h"

volatile uint8_t mma_woken;

enum { A0 = 10 - 3, A7 = 17 - 3 }; // in mma_context.registers

#define ECALL_BYTES 4

void mma_arch_init(void) {
    MMA_CSR_SET("mie", MIE_TIMER | MIE_EXTERNAL);
    mma_alarm(UINT64_MAX);
}

const char *mma_arch_isolation(void) { return "pmp"; }

void mma_arch_prepare(struct mma_context *context, uint32_t entry, const struct mma_run *stack) {
    memset(context, 0, sizeof *context);
    context->sp = stack->high & ~15u;
    context->pc = entry;
    __asm volatile("fence.i" ::: "memory"); // its code was written as data
}

// All its registers are in the kernel's own RAM: none can lie elsewhere.
bool mma_arch_call(const struct mma_context *context, const struct mma_run *part, struct mma_called *called) {
    (void)part;
    called->pc = context->pc - ECALL_BYTES;
    called->number = context->registers[A7];
    memcpy(called->argument, &context->registers[A0], sizeof called->argument);
    return true;
}

void mma_arch_answer(struct mma_context *context, uint64_t value) {
    context->registers[A0] = (uint32_t)value;
    context->registers[A0 + 1] = (uint32_t)(value >> 32);
}

void mma_arch_fault(const struct mma_context *context, const struct mma_run *stack, struct mma_fault *fault) {
    // Below the stack lies the executor's code, which it can't write: what overflows ends there.
    *fault = (struct mma_fault){
        .status = context->cause,
        .pc = context->pc,
        .address = context->value,
        .stack = context->sp < stack->low,
    };
}

// Is it the address after a call, in this code? jal and jalr that link to ra, and their compressed forms.
static bool follows_call(uint32_t address, const struct mma_run *code) {
    if (address & 1 || address < code->low + 4 || address > code->high) {
        return false;
    }
    const uint16_t *at = (const uint16_t *)(uintptr_t)address;
    uint32_t word = at[-2] | (uint32_t)at[-1] << 16;
    return (word & 0xFFF) == 0x0EF || (word & 0x7FFF) == 0x00E7 || (at[-1] & 0xE003) == 0x2001 ||
           (at[-1] & 0xF07F) == 0x9002;
}

uint32_t mma_arch_trace(const struct mma_context *context, const struct mma_run *stack, const struct mma_run *code,
                        uint32_t *addresses, uint32_t room) {
    uint32_t count = 0;
    // As on Cortex-M: ra first, which may be stale (docs/link.md, X13).
    if (follows_call(context->ra, code)) {
        addresses[count++] = context->ra;
    }
    bool inside = context->sp >= stack->low && context->sp <= stack->high;
    for (uint32_t at = inside ? mma_align(context->sp, 4) : stack->low; at < stack->high && count < room; at += 4) {
        uint32_t word = *(const uint32_t *)(uintptr_t)at;
        if (follows_call(word, code)) {
            addresses[count++] = word;
        }
    }
    return count;
}

void mma_arch_wake(void) { mma_woken = 1; } // interrupts out of an executor look at it before they go back

bool mma_arch_wake_pending(void) { return mma_woken; }

bool mma_arch_woken(void) {
    bool was = mma_woken;
    mma_woken = 0;
    return was;
}

void mma_arch_idle(void) {
    uint32_t before = mma_arch_lock();
    if (!mma_woken) {
        __asm volatile("wfi" ::: "memory"); // wakes up for an interrupt even though they are off
    }
    mma_arch_unlock(before);
}

// 0 where interrupts were on: what start-up unlocks with, too.
uint32_t mma_arch_lock(void) {
    uint32_t before;
    __asm volatile("csrrci %0, mstatus, %1" : "=r"(before) : "i"(MSTATUS_MIE) : "memory");
    return ~before & MSTATUS_MIE;
}

void mma_arch_unlock(uint32_t before) {
    if (!before) {
        MMA_CSR_SET("mstatus", MSTATUS_MIE);
    }
}

void mma_arch_reset(void) {
    (void)mma_arch_lock();
    mma_chip_restart();
}

// Called by switch.S, interrupts off.
void mma_interrupt(uint32_t cause) {
    switch (cause & 0x7FFFFFFF) {
    case CAUSE_TIMER:
        mma_timer_interrupt();
        break;
    case CAUSE_EXTERNAL:
        mma_chip_interrupt();
        break;
    }
}

// Where switch.S goes when the kernel itself faults.
_Noreturn void mma_kernel_fault(uint32_t ra) {
    struct mma_crash crash = {
        .cause = MMA_CSR_READ("mcause"),
        .pc = MMA_CSR_READ("mepc"),
        .lr = ra,
        .status = MMA_CSR_READ("mstatus"),
        .address = MMA_CSR_READ("mtval"),
    };
    mma_crashed(&crash);
}
