// Traps, host calls and the stack pointer of each CPU that executors run on.
//
// A trap takes pc as its evidence: the instruction lies in the function that trapped, and the gateway finds
// that by its symbols. Memory clobbers keep earlier stores: what a guest did before its trap has happened.
#ifndef MMA_MACHINE_H
#define MMA_MACHINE_H

#if defined(__arm__)

#define mma_trap(code)                                                                                       \
    do {                                                                                                     \
        __asm__ volatile("svc %0" : : "i"(MMA_CALL_TRAP | (code)) : "memory");                               \
        __builtin_unreachable();                                                                             \
    } while (0)

// Arguments and result in r0 to r3 as the C ABI has them; the exception keeps all other registers.
MMA_INLINE u32 mma_call_32(u32 number, u32 a, u32 b, u32 c) {
    register u32 r0 __asm__("r0") = a;
    register u32 r1 __asm__("r1") = b;
    register u32 r2 __asm__("r2") = c;
    __asm__ volatile("svc %3" : "+r"(r0), "+r"(r1), "+r"(r2) : "i"(number) : "r3", "memory");
    return r0;
}

MMA_INLINE u64 mma_call_64(u32 number, u64 value) {
    register u32 r0 __asm__("r0") = (u32)value;
    register u32 r1 __asm__("r1") = (u32)(value >> 32);
    __asm__ volatile("svc %2" : "+r"(r0), "+r"(r1) : "i"(number) : "r2", "r3", "memory");
    return (u64)r1 << 32 | r0;
}

#define MMA_STACK_POINTER "mov %0, sp"

#elif defined(__riscv)

#define mma_trap(code)                                                                                       \
    do {                                                                                                     \
        register u32 a7 __asm__("a7") = MMA_CALL_TRAP | (code);                                              \
        __asm__ volatile("ecall" : : "r"(a7) : "memory");                                                    \
        __builtin_unreachable();                                                                             \
    } while (0)

// Number in a7, arguments and result in a0 to a2; the kernel keeps all other registers.
MMA_INLINE u32 mma_call_32(u32 number, u32 a, u32 b, u32 c) {
    register u32 a0 __asm__("a0") = a;
    register u32 a1 __asm__("a1") = b;
    register u32 a2 __asm__("a2") = c;
    register u32 a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2) : "r"(a7) : "memory");
    return a0;
}

MMA_INLINE u64 mma_call_64(u32 number, u64 value) {
    register u32 a0 __asm__("a0") = (u32)value;
    register u32 a1 __asm__("a1") = (u32)(value >> 32);
    register u32 a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a7) : "memory");
    return (u64)a1 << 32 | a0;
}

#define MMA_STACK_POINTER "mv %0, sp"

#elif defined(__x86_64__)

// The gateway's own CPU, for tests of the compiler: a harness maps the image at its addresses, calls
// mma_enter, and gets 0 or the trap's number back; exit is 0x100 and its status in mma_status.
extern u64 (*mma_host)(u32 number, u64 a, u64 b, u64 c);
extern u32 mma_status;
__attribute__((noreturn)) void mma_leave(u32 code);

#define mma_trap(code) mma_leave(code)

MMA_INLINE u32 mma_call_32(u32 number, u32 a, u32 b, u32 c) {
    if (number == MMA_CALL_EXIT) {
        mma_status = a;
        mma_leave(0x100);
    }
    return (u32)mma_host(number, a, b, c);
}

MMA_INLINE u64 mma_call_64(u32 number, u64 value) {
    return mma_host(number, value, 0, 0);
}

#define MMA_STACK_POINTER "mov %%rsp, %0"

#else
#error "No executor machine for this CPU: add its traps and host calls here."
#endif

// At the start of every function that calls others. Where an MPU or PMP guards the stack, nothing.
#if MMA_STACK_CHECK
#define MMA_ENTER()                                                                                          \
    do {                                                                                                     \
        uptr sp;                                                                                             \
        __asm__ volatile(MMA_STACK_POINTER : "=r"(sp));                                                      \
        if (MMA_UNLIKELY(sp < (uptr)mma_stack_limit)) MMA_TRAP(STACK);                                       \
    } while (0)
#else
#define MMA_ENTER() (void)0
#endif

#endif
