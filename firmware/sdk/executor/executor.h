// What every executor is compiled with: hal/aot writes C that includes this file and nothing else.
//
// Before it, that C defines what it knows of its module:
//   MMA_PAGE      bytes of a page of linear memory: 65536 or 1
//   MMA_DECLARED  bytes of linear memory that the module declares at first
//   MMA_LEAST     bytes of linear memory that every slot of this module has
//   MMA_MAXIMUM   bytes that it may ever have, by its own words
//   MMA_GROWS     1 if it contains memory.grow
//   MMA_FLOATS    1 if it has floating point numbers
//   MMA_STACK_CHECK  1 if functions must compare their stack pointer with the limit
//
// Executors are freestanding, run unprivileged and hold no pointers to anything but their own slot.
#ifndef MMA_EXECUTOR_H
#define MMA_EXECUTOR_H

#include "../abi.h"

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT8_TYPE__ s8;
typedef __INT16_TYPE__ s16;
typedef __INT32_TYPE__ s32;
typedef __INT64_TYPE__ s64;
typedef __UINTPTR_TYPE__ uptr;

typedef void (*mma_function)(void);

// Debuggers see the guest's source alone: what is inlined there counts as the line that it is in.
#define MMA_INLINE static inline __attribute__((always_inline, unused, nodebug))
#define MMA_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

// Set by the linker, for the slot. Those named `_bytes` are numbers: only their addresses mean something.
extern u8 mma_memory[] __attribute__((aligned(8)));  // linear memory
extern u8 mma_initial_bytes[];                       // what the guest may use of it at first
extern u8 mma_linear_bytes[];                        // what it may grow to
extern u8 mma_stack_limit[];                         // lowest stack pointer of a function that calls others
extern const u32 mma_arguments[];                    // u32 count; u32 length and padded bytes of each

#define MMA_NUMBER(symbol) ((u32)(uptr)(symbol))

#include "machine.h"

// Ends the executor with one of enum mma_trap, and is no call: leaf functions stay leaves.
#define MMA_TRAP(name) mma_trap(MMA_TRAP_##name)

#include "memory.h"
#include "numeric.h"
#include "table.h"
#include "host.h"

#endif
