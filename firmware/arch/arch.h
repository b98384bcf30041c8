// What the kernel needs of a CPU architecture. One implementation a folder in firmware/arch.
//
// The kernel is one thread. It enters an executor as if it called a function, and gets control back when the
// executor calls the host, faults, or the kernel has work (an interrupt said so). Interrupt handlers do nothing
// but move bytes and say mma_arch_wake().
#ifndef MMA_ARCH_H
#define MMA_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "context.h" // struct mma_context, struct mma_protection; MMA_ALIGN; of the architecture built for

enum mma_leave {
    MMA_LEAVE_CALL = 1,      // a host call: mma_arch_call tells which
    MMA_LEAVE_PREEMPTED = 2, // the kernel has work
    MMA_LEAVE_FAULT = 3,     // the hardware stopped it: mma_arch_fault tells why
};

// A run of addresses [low, high).
struct mma_run {
    uint32_t low;
    uint32_t high;
};

// Why the hardware stopped an executor. `stack` is true where it ran out of stack. `pc` 0 is unknown.
struct mma_fault {
    uint32_t status;
    uint32_t pc;
    uint32_t address;
    bool stack;
};

// What a dead kernel leaves behind for the next boot.
struct mma_crash {
    uint32_t cause; // exception number or mcause
    uint32_t pc;
    uint32_t lr;
    uint32_t status;
    uint32_t address;
};

void mma_arch_init(void);
const char *mma_arch_isolation(void); // "mpu", "pmp", "none"

// A fresh context: registers zero, stack pointer at the stack's upper end. `entry` must not return.
void mma_arch_prepare(struct mma_context *context, uint32_t entry, const struct mma_run *stack);

// Run until it leaves. The kernel's own registers are kept as across any call.
enum mma_leave mma_arch_enter(struct mma_context *context);

// After MMA_LEAVE_CALL. `stack`: where its saved registers may lie; false if they lie elsewhere (then it faulted).
// number: of enum mma_call; pc: of the instruction that called; argument: the registers of the C ABI.
struct mma_called {
    uint32_t number;
    uint32_t pc;
    uint32_t argument[4];
};
bool mma_arch_call(const struct mma_context *context, const struct mma_run *part, struct mma_called *called);
void mma_arch_answer(struct mma_context *context, uint64_t value);

// After MMA_LEAVE_FAULT: tell why, and clear the CPU's flags.
void mma_arch_fault(const struct mma_context *context, const struct mma_run *stack, struct mma_fault *fault);

// Return addresses on a stopped executor's stack, innermost first; at most `room`. Gives their number.
uint32_t mma_arch_trace(const struct mma_context *context, const struct mma_run *stack, const struct mma_run *code,
                        uint32_t *addresses, uint32_t room);

// Memory protection: can the hardware admit to exactly these runs? `code` is read and executed, `data` read and
// written; data may reach on up to `slack` where that makes it possible. Fills `protection`.
bool mma_arch_plan(struct mma_protection *protection, const struct mma_run *code, const struct mma_run *data,
                   uint32_t slack);
void mma_arch_protect(const struct mma_protection *protection);

// The kernel has work: leave the executor that runs, if one does. From interrupt handlers and the kernel.
void mma_arch_wake(void);
// Was there a wake since the last ask? Forgets it.
bool mma_arch_woken(void);
bool mma_arch_wake_pending(void);
// Sleep until an interrupt, unless there was a wake.
void mma_arch_idle(void);

uint32_t mma_arch_lock(void); // interrupts off; gives what unlock wants
void mma_arch_unlock(uint32_t before);
_Noreturn void mma_arch_reset(void);

// Defined by the kernel: its beginning, on its own stack, interrupts as after a reset (kernel/start.c); the most bytes
// of that stack ever used; and its end, called by fault handlers.
_Noreturn void mma_begin(void);
uint32_t mma_stack_used(void);
_Noreturn void mma_crashed(const struct mma_crash *crash);
// The same for a kernel that hangs, by an interrupt of the clock that asked mma_kept_hangs; `where` it was.
_Noreturn void mma_hung(const struct mma_crash *where);

// Time. Microseconds and CPU cycles since boot; the cycles wrap, and are for differences.
uint64_t mma_time(void);
uint32_t mma_cycles(void);
uint32_t mma_cycles_per_us(void);
// Wake the kernel at this time or, where the timer can't reach so far, earlier.
void mma_alarm(uint64_t time);

#endif
