// Contexts, host calls and faults of executors; locks and wake-ups of the kernel.
#include "arch/arch.h"
#include "kernel/bytes.h"
#include "kernel/config.h"
#include "registers.h"

struct mma_context *mma_context_now; // whom switch.S entered last
volatile uint8_t mma_woken;

extern uint32_t mma_stack_low[], mma_stack_high[];

// What the hardware pushes on an exception; 18 more words for s0-s15 and FPSCR where EXC_RETURN bit 4 is clear.
struct frame {
    uint32_t r[4];
    uint32_t r12;
    uint32_t lr;
    uint32_t pc;
    uint32_t xpsr;
};
#define SYSTICK 15 // its exception number
#define FRAME_BASIC sizeof(struct frame)
#define FRAME_FLOATS (26 * 4u)
#define FLOATS_SAVED (16 * 4u) // s16-s31, by switch.S
#define RETURN_BASIC 0xFFFFFFFD

void mma_arch_init(void) {
    SCB_SHPR2 = 0xE0000000; // SVC: not below PendSV, but below the devices
    SCB_SHPR3 = MMA_DEVICE_PRIORITY << 24 | 0xF0u << 16; // SysTick as the devices, PendSV lowest
#if MMA_MPU
    SCB_SHCSR |= SHCSR_FAULTS;
#endif
#if MMA_FPU
    SCB_CPACR |= 0xF << 20; // floating point for all
    // Stack s0-s15 at once and not lazily: a lazy store happens in the kernel's handler, when it is too late to
    // blame the executor whose stack pointer is wrong.
    FPU_FPCCR = (FPU_FPCCR | FPCCR_ASPEN) & ~(uint32_t)FPCCR_LSPEN;
#endif
    mma_alarm(UINT64_MAX);
}

const char *mma_arch_isolation(void) {
#if MMA_MPU
    return "mpu";
#else
    return "none";
#endif
}

static struct frame *frame_of(const struct mma_context *context) { return (struct frame *)(uintptr_t)context->sp; }

// Does the frame lie in the executor's stack? Where there is no MPU, nobody else has checked.
static bool frame_lies_in(const struct mma_context *context, const struct mma_run *stack) {
    uint32_t size = context->exception_return & 0x10 ? FRAME_BASIC : FRAME_FLOATS;
    return (context->sp & 3) == 0 && context->sp >= stack->low && context->sp <= stack->high &&
           stack->high - context->sp >= size;
}

void mma_arch_prepare(struct mma_context *context, uint32_t entry, const struct mma_run *stack) {
    memset(context, 0, sizeof *context);
    context->sp = (stack->high & ~7u) - FRAME_BASIC;
    context->exception_return = RETURN_BASIC;
    context->limit = stack->low;
    struct frame *frame = frame_of(context);
    memset(frame, 0, sizeof *frame);
    frame->lr = UINT32_MAX; // nowhere
    frame->pc = entry & ~1u;
    frame->xpsr = 1u << 24; // Thumb
}

bool mma_arch_call(const struct mma_context *context, const struct mma_run *stack, struct mma_called *called) {
    if (!frame_lies_in(context, stack)) {
        return false;
    }
    const struct frame *frame = frame_of(context);
    called->pc = frame->pc - 2;
    called->number = *(const uint8_t *)(uintptr_t)called->pc; // svc #n is DFnn
    memcpy(called->argument, frame->r, sizeof called->argument);
    return true;
}

void mma_arch_answer(struct mma_context *context, uint64_t value) {
    struct frame *frame = frame_of(context);
    frame->r[0] = (uint32_t)value;
    frame->r[1] = (uint32_t)(value >> 32);
}

void mma_arch_fault(const struct mma_context *context, const struct mma_run *stack, struct mma_fault *fault) {
    memset(fault, 0, sizeof *fault);
#if MMA_MPU
    uint32_t status = SCB_CFSR;
    fault->status = status;
    if (status & CFSR_MMARVALID) {
        fault->address = SCB_MMFAR;
    } else if (status & CFSR_BFARVALID) {
        fault->address = SCB_BFAR;
    }
    SCB_CFSR = status; // written ones clear
    SCB_HFSR = SCB_HFSR;
    bool framed = !(status & CFSR_STACKING);
#else
    bool framed = true;
#endif
    // Below the stack lies the executor's code, which it can't write: what overflows ends up here, mostly without
    // a frame, since that would have overflowed too.
    uint32_t saved = context->exception_return & 0x10 ? 0 : FLOATS_SAVED;
    fault->stack = context->sp < stack->low + saved;
    if (framed && frame_lies_in(context, stack)) {
        fault->pc = frame_of(context)->pc;
    }
}

// Is it the address after a call, in this code? BL is F000-F7FF with D000-FFFF, BLX register is 4780-47F8.
static bool follows_call(uint32_t word, const struct mma_run *code) {
    uint32_t address = word & ~1u;
    if (!(word & 1) || address < code->low + 4 || address > code->high) {
        return false;
    }
    const uint16_t *at = (const uint16_t *)(uintptr_t)address;
    return ((at[-2] & 0xF800) == 0xF000 && (at[-1] & 0xD000) == 0xD000) || (at[-1] & 0xFF87) == 0x4780;
}

uint32_t mma_arch_trace(const struct mma_context *context, const struct mma_run *stack, const struct mma_run *code,
                        uint32_t *addresses, uint32_t room) {
    uint32_t count = 0, at = stack->low;
    if (frame_lies_in(context, stack)) {
        // A function that calls nothing has its return address only in lr. One that did call has it on the stack
        // too, or a stale one in lr: whoever knows the functions can tell (docs/link.md, X13).
        uint32_t lr = frame_of(context)->lr;
        if (follows_call(lr, code)) {
            addresses[count++] = lr & ~1u;
        }
        at = context->sp + (context->exception_return & 0x10 ? FRAME_BASIC : FRAME_FLOATS);
    }
    for (; at < stack->high && count < room; at += 4) {
        uint32_t word = *(const uint32_t *)(uintptr_t)at;
        if (follows_call(word, code) && (at != context->sp || !count || addresses[0] != (word & ~1u))) {
            addresses[count++] = word & ~1u;
        }
    }
    return count;
}

void mma_arch_wake(void) {
    mma_woken = 1;
    SCB_ICSR = ICSR_PENDSVSET;
}

bool mma_arch_wake_pending(void) { return mma_woken; }

bool mma_arch_woken(void) {
    bool was = mma_woken;
    mma_woken = 0;
    __asm volatile("dmb" ::: "memory");
    return was;
}

void mma_arch_idle(void) {
    uint32_t before = mma_arch_lock();
    if (!mma_woken) {
        __asm volatile("dsb\n\twfi" ::: "memory"); // wakes up for an interrupt even though they are off
    }
    mma_arch_unlock(before);
    __asm volatile("isb" ::: "memory");
}

uint32_t mma_arch_lock(void) {
    uint32_t before;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
    return before;
}

void mma_arch_unlock(uint32_t before) { __asm volatile("msr primask, %0" ::"r"(before) : "memory"); }

void mma_arch_reset(void) {
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = AIRCR_RESET;
    for (;;) {
    }
}

// Where switch.S goes when the kernel itself faults, and the clock when it hangs; `sp` is its stack pointer then,
// perhaps a useless one.
_Noreturn void mma_kernel_fault(uint32_t sp, uint32_t exception_return) {
    struct mma_crash crash;
    uint32_t cause;
    (void)exception_return;
    __asm volatile("mrs %0, ipsr" : "=r"(cause));
    memset(&crash, 0, sizeof crash);
    crash.cause = cause & 0x1FF;
#if MMA_MPU
    crash.status = SCB_CFSR;
    crash.address = crash.status & CFSR_MMARVALID ? SCB_MMFAR : crash.status & CFSR_BFARVALID ? SCB_BFAR : 0;
#endif
    if (sp >= (uint32_t)(uintptr_t)mma_stack_low && sp + FRAME_BASIC <= (uint32_t)(uintptr_t)mma_stack_high) {
        const struct frame *frame = (const struct frame *)(uintptr_t)sp;
        crash.pc = frame->pc;
        crash.lr = frame->lr;
    }
    if (crash.cause == SYSTICK) {
        mma_hung(&crash);
    }
    mma_crashed(&crash);
}
