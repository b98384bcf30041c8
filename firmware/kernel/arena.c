#include "kernel/arena.h"

#include "kernel/bytes.h"

#define MOST (1u << 28) // of one part: so that no sum wraps

bool mma_parts_round(struct mma_parts *parts, uint32_t *total) {
    if (parts->code > MOST || parts->stack > MOST || parts->memory > MOST || parts->log > MOST ||
        parts->result > MOST) {
        return false;
    }
    parts->code = mma_align(parts->code, MMA_ALIGN);
    parts->stack = mma_align(parts->stack, MMA_ALIGN);
    parts->memory = mma_align(parts->memory, MMA_ALIGN);
    *total = mma_align(parts->code + parts->stack + parts->memory + parts->log + parts->result, MMA_ALIGN);
    return true;
}

static struct mma_run part(const struct mma_place *place, uint32_t before, uint32_t size) {
    return (struct mma_run){place->base + before, place->base + before + size};
}

struct mma_run mma_place_code(const struct mma_place *place, const struct mma_parts *parts) {
    return part(place, 0, parts->code);
}

struct mma_run mma_place_stack(const struct mma_place *place, const struct mma_parts *parts) {
    return part(place, parts->code, parts->stack);
}

struct mma_run mma_place_memory(const struct mma_place *place, const struct mma_parts *parts) {
    return part(place, parts->code + parts->stack, parts->memory);
}

struct mma_run mma_place_log(const struct mma_place *place, const struct mma_parts *parts) {
    return part(place, parts->code + parts->stack + parts->memory, parts->log);
}

struct mma_run mma_place_result(const struct mma_place *place, const struct mma_parts *parts) {
    return part(place, parts->code + parts->stack + parts->memory + parts->log, parts->result);
}

bool mma_arena_next(const struct mma_run *arena, const struct mma_place *taken[], uint32_t count,
                    struct mma_run *gap) {
    uint32_t from = gap->high; // the end of the last gap is where a slot begins, or the arena's end
    for (;;) {
        const struct mma_place *next = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (taken[i]->used && taken[i]->base >= from && (!next || taken[i]->base < next->base)) {
                next = taken[i];
            }
        }
        uint32_t to = next ? next->base : arena->high;
        if (from < to) {
            *gap = (struct mma_run){from, to};
            return true;
        }
        if (!next) {
            return false;
        }
        from = next->base + next->used;
    }
}

// The lowest place in a gap that the hardware can protect.
static bool fit(const struct mma_run *gap, const struct mma_parts *parts, uint32_t total, struct mma_place *place,
                struct mma_protection *protection) {
    uint32_t base = mma_align(gap->low, MMA_ALIGN);
    for (; base >= gap->low && base < gap->high && gap->high - base >= total; base += MMA_ALIGN) {
        struct mma_place here = {base, total};
        struct mma_run code = mma_place_code(&here, parts);
        struct mma_run data = {code.high, code.high + parts->stack + parts->memory};
        if (mma_arch_plan(protection, &code, &data, base + total - data.high)) {
            *place = here;
            return true;
        }
    }
    return false;
}

bool mma_arena_find(const struct mma_run *arena, const struct mma_place *taken[], uint32_t count,
                    const struct mma_parts *parts, uint32_t total, struct mma_place *place,
                    struct mma_protection *protection) {
    struct mma_run gap = {arena->low, arena->low}, best = {0, UINT32_MAX};
    while (mma_arena_next(arena, taken, count, &gap)) {
        if (gap.high - gap.low < best.high - best.low && fit(&gap, parts, total, place, protection)) {
            best = gap;
        }
    }
    return best.low && fit(&best, parts, total, place, protection);
}
