// The arena: all RAM that the kernel doesn't need, given out in whole slots. Pure.
#ifndef MMA_ARENA_H
#define MMA_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"

// Bytes of an executor's parts, in the order in which they lie in its slot. Code lies below the stack: what
// overflows the stack hits code, which an executor can't write.
struct mma_parts {
    uint32_t code;
    uint32_t stack;
    uint32_t memory;
    uint32_t log;
    uint32_t result;
};

// Where a slot lies. `used` addresses in all, from `base`.
struct mma_place {
    uint32_t base;
    uint32_t used;
};

// Round code, stack and memory up to what the hardware can tell apart. False if their sum passes 2^31.
bool mma_parts_round(struct mma_parts *parts, uint32_t *total);

struct mma_run mma_place_code(const struct mma_place *place, const struct mma_parts *parts);
struct mma_run mma_place_stack(const struct mma_place *place, const struct mma_parts *parts);
struct mma_run mma_place_memory(const struct mma_place *place, const struct mma_parts *parts);
struct mma_run mma_place_log(const struct mma_place *place, const struct mma_parts *parts);
struct mma_run mma_place_result(const struct mma_place *place, const struct mma_parts *parts);

// The free runs of an arena, in rising order: begin with {arena.low, arena.low}; false after the last.
// `taken` are places in any order; `used` 0 is none.
bool mma_arena_next(const struct mma_run *arena, const struct mma_place *taken[], uint32_t count,
                    struct mma_run *gap);

// Find a place for parts (rounded, with their sum) in the smallest free run that can hold it and that the hardware
// can protect. Where there is none, what is in place and protection means nothing.
bool mma_arena_find(const struct mma_run *arena, const struct mma_place *taken[], uint32_t count,
                    const struct mma_parts *parts, uint32_t total, struct mma_place *place,
                    struct mma_protection *protection);

#endif
