// Sizes of one kernel build. A board's page ([kernel] in hal/boards/*.toml) overrides them: `slots = 8` arrives
// here as -DMMA_SLOTS=8.
#ifndef MMA_CONFIG_H
#define MMA_CONFIG_H

#define MMA_VERSION "0.1.0"
#define MMA_LINK_VERSION 1

#ifndef MMA_BOARD
#define MMA_BOARD "unknown"
#endif

// Most executors at once.
#ifndef MMA_SLOTS
#define MMA_SLOTS 4
#endif

// Payload bytes of the longest CoAP block: a power of two from 16 to 1024.
#ifndef MMA_BLOCK
#define MMA_BLOCK 256
#endif

// Bytes received but not yet looked at: what may arrive while the kernel is busy. A power of two.
#ifndef MMA_RECEIVE
#define MMA_RECEIVE 128
#endif

// Bytes of the kernel's own stack, interrupts included.
#ifndef MMA_STACK
#define MMA_STACK 1024
#endif

// How long an executor runs before another one's turn, microseconds.
#ifndef MMA_SLICE
#define MMA_SLICE 1000
#endif

// 1: the core has a floating point unit that executors use.
#ifndef MMA_FPU
#define MMA_FPU 0
#endif

// 1: the core has a memory protection unit.
#ifndef MMA_MPU
#define MMA_MPU 0
#endif

// 1: time comes from the core's own timer; 0: the chip has a better one, or the core none.
#ifndef MMA_SYSTICK
#define MMA_SYSTICK 1
#endif

// 1: the independent watchdog restarts a kernel that hangs.
#ifndef MMA_WATCHDOG
#define MMA_WATCHDOG 0
#endif

// Least stack of an executor: the loader keeps its notes there until the start.
#define MMA_STACK_LEAST 256

#define MMA_KEY 8

#endif
