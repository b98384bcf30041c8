#include "kernel/executor.h"

#include "kernel/bytes.h"
#include "kernel/rules.h"
#include "kernel/server.h"

#define PAINT 0xA5A5A5A5u // an untouched word of a stack

struct mma_executor mma_executors[MMA_SLOTS];

// While an image comes, the loader's notes lie at the low end of the executor's stack: nobody else needs that yet.
struct notes {
    struct mma_loader loader;
    uint8_t digest[MMA_DIGEST];
};
_Static_assert(sizeof(struct notes) <= MMA_STACK_LEAST, "the loader's notes must fit into the least stack");

static struct notes *notes_of(const struct mma_executor *executor) {
    return (struct notes *)(void *)mma_at(mma_place_stack(&executor->place, &executor->parts).low);
}

static void list_places(const struct mma_place *places[MMA_SLOTS]) {
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        places[i] = &mma_executors[i].place;
    }
}

uint32_t mma_arena_free(uint32_t *largest) {
    const struct mma_place *places[MMA_SLOTS];
    struct mma_run gap = {mma_arena.low, mma_arena.low};
    uint32_t sum = 0;
    *largest = 0;
    list_places(places);
    while (mma_arena_next(&mma_arena, places, MMA_SLOTS, &gap)) {
        sum += gap.high - gap.low;
        *largest = mma_max(*largest, gap.high - gap.low);
    }
    return sum;
}

static void set_state(struct mma_executor *executor, enum mma_state state) {
    executor->state = (uint8_t)state;
    mma_server_changed();
}

int mma_executor_create(const struct mma_create *create, struct mma_shortage *shortage) {
    struct mma_executor *free = 0;
    struct mma_parts parts = create->parts;
    uint32_t total;
    if (parts.stack < MMA_STACK_LEAST || parts.code == 0 || create->rules > MMA_RULES_MOST ||
        parts.code < create->rules * MMA_RULE_BYTES) {
        return MMA_ERR_INVALID;
    }
    for (uint32_t i = MMA_SLOTS; i-- > 0;) {
        struct mma_executor *executor = &mma_executors[i];
        if (executor->state == MMA_FREE) {
            free = executor;
        } else if (memcmp(executor->key, create->key, MMA_KEY) == 0) {
            return MMA_ERR_STATE;
        }
    }
    if (!free) {
        return MMA_ERR_BUSY;
    }
    if (!mma_parts_round(&parts, &total)) {
        return MMA_ERR_INVALID;
    }
    const struct mma_place *places[MMA_SLOTS];
    list_places(places); // that of the free slot, too: it is empty
    uint16_t generation = (uint16_t)(free->generation + 1);
    memset(free, 0, sizeof *free);
    free->generation = generation;
    if (!mma_arena_find(&mma_arena, places, MMA_SLOTS, &parts, total, &free->place, &free->protection)) {
        free->place.used = 0;
        mma_arena_free(&shortage->largest);
        shortage->missing = total > shortage->largest ? total - shortage->largest : MMA_ALIGN;
        return MMA_ERR_NOROOM;
    }
    free->parts = parts;
    free->weight = (1u << 20) / mma_min(mma_max(create->share, 1), 1000);
    free->gpio = create->gpio;
    free->sensors = create->sensors;
    free->rules = (uint8_t)create->rules;
    memcpy(free->key, create->key, MMA_KEY);
    set_state(free, MMA_CREATED);
    return (int)(free - mma_executors);
}

int mma_executor_load(struct mma_executor *executor) {
    if (executor->state == MMA_RUNNING || executor->state == MMA_ENDED) {
        return MMA_ERR_STATE;
    }
    struct mma_run code = mma_place_code(&executor->place, &executor->parts);
    struct mma_run memory = mma_place_memory(&executor->place, &executor->parts);
    memset(mma_at(code.low), 0, code.high - code.low);
    memset(mma_at(memory.low), 0, memory.high - memory.low);
    mma_loader_start(&notes_of(executor)->loader);
    set_state(executor, MMA_LOADING);
    return 0;
}

int mma_executor_feed(struct mma_executor *executor, const uint8_t *data, uint32_t length, bool last) {
    struct mma_run code = mma_place_code(&executor->place, &executor->parts);
    struct mma_run memory = mma_place_memory(&executor->place, &executor->parts);
    struct mma_window windows[2] = {{code, mma_at(code.low)}, {memory, mma_at(memory.low)}};
    struct notes *notes = notes_of(executor);
    if (executor->state != MMA_LOADING) {
        return MMA_ERR_STATE;
    }
    if (!mma_loader_feed(&notes->loader, windows, 2, data, length)) {
        set_state(executor, MMA_CREATED);
        return MMA_ERR_INVALID;
    }
    if (last) {
        bool whole = mma_loader_end(&notes->loader, notes->digest);
        set_state(executor, whole ? MMA_READY : MMA_CREATED);
        return whole ? 0 : MMA_ERR_INVALID;
    }
    return 0;
}

uint32_t mma_executor_loaded(const struct mma_executor *executor) {
    bool comes = executor->state == MMA_LOADING || executor->state == MMA_READY;
    return comes ? notes_of(executor)->loader.received : 0;
}

int mma_executor_start(struct mma_executor *executor, const uint8_t *digest, uint32_t entry, uint32_t memory) {
    struct mma_run code = mma_place_code(&executor->place, &executor->parts);
    struct mma_run stack = mma_place_stack(&executor->place, &executor->parts);
    if (executor->state != MMA_READY) {
        return MMA_ERR_STATE;
    }
    if (memcmp(digest, notes_of(executor)->digest, MMA_DIGEST) != 0) {
        return MMA_ERR_DIGEST;
    }
    if (entry < code.low || entry >= code.high || memory > executor->parts.memory) {
        return MMA_ERR_INVALID;
    }
    for (uint32_t at = stack.low; at < stack.high; at += 4) {
        *(uint32_t *)(void *)mma_at(at) = PAINT;
    }
    executor->memory = memory;
    mma_rules_begin(executor);
    mma_arch_prepare(&executor->context, entry, &stack);
    mma_scheduler_add(executor);
    set_state(executor, MMA_RUNNING);
    return 0;
}

void mma_executor_end(struct mma_executor *executor, enum mma_cause cause, int32_t status) {
    if (executor->state == MMA_RUNNING) {
        mma_rules_end(executor);
    }
    executor->cause = (uint8_t)cause;
    executor->status = status;
    set_state(executor, MMA_ENDED);
}

void mma_executor_free(struct mma_executor *executor) {
    if (executor->state == MMA_RUNNING) {
        mma_rules_end(executor);
    }
    executor->place.used = 0;
    set_state(executor, MMA_FREE);
}

uint32_t mma_executor_stack_used(const struct mma_executor *executor) {
    struct mma_run stack = mma_place_stack(&executor->place, &executor->parts);
    uint32_t at = stack.low;
    if (executor->state < MMA_RUNNING || (executor->state == MMA_ENDED && !executor->context.sp)) {
        return 0;
    }
    while (at < stack.high && *(uint32_t *)(void *)mma_at(at) == PAINT) {
        at += 4;
    }
    return stack.high - at;
}

uint32_t mma_executor_memory_used(const struct mma_executor *executor) {
    struct mma_run memory = mma_place_memory(&executor->place, &executor->parts);
    uint32_t at = memory.high;
    while (at > memory.low && *(uint32_t *)(void *)mma_at(at - 4) == 0) {
        at -= 4;
    }
    return at - memory.low;
}

void mma_executor_log(struct mma_executor *executor, const void *data, uint32_t length) {
    struct mma_run log = mma_place_log(&executor->place, &executor->parts);
    mma_ring_write(&executor->log, mma_at(log.low), log.high - log.low, data, length);
    mma_server_changed();
}

uint64_t mma_microseconds(uint64_t cycles) {
    // 64 by 32 bits by hand: the library's division is bigger than this.
    uint32_t by = mma_cycles_per_us();
    uint64_t quotient = 0, rest = 0;
    for (int i = 63; i >= 0; i--) {
        rest = rest << 1 | (cycles >> i & 1);
        if (rest >= by) {
            rest -= by;
            quotient |= 1ull << i;
        }
    }
    return quotient;
}
