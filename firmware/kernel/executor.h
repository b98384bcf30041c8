// Executors: the tenants. Each one's record is here, in the kernel's own RAM; all else it has lies in its slot.
#ifndef MMA_EXECUTOR_H
#define MMA_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "kernel/arena.h"
#include "kernel/config.h"
#include "kernel/loader.h"
#include "kernel/ring.h"
#include "sdk/abi.h"

struct mma_executor {
    struct mma_context context;
    struct mma_protection protection;
    struct mma_place place;
    struct mma_parts parts;
    struct mma_ring log;
    uint64_t runtime; // CPU time weighted by its share, for the scheduler
    uint64_t cycles;  // CPU time
    uint64_t wake;    // sleeps until then, microseconds since boot; 0: it doesn't sleep
    uint32_t switches;
    uint32_t weight;  // 2^20 / share
    uint32_t gpio;    // grants
    uint32_t sensors;
    uint32_t memory;  // bytes of linear memory at present
    uint32_t result;  // bytes published
    int32_t status;
    uint32_t pc;
    uint32_t address;
    uint8_t key[MMA_KEY];
    uint16_t generation;
    uint8_t state; // enum mma_state
    uint8_t cause; // enum mma_cause
    bool dozed;    // its last sleep was short
    uint8_t told;  // refusals already in its log: bit 0 gpio, bit 1 sensors
    uint8_t rules; // how many it has room for (rules.h)
    uint8_t served; // the rule after the one that came true last
    bool waits;    // for a rule to come true
};

extern struct mma_executor mma_executors[MMA_SLOTS];
extern const struct mma_run mma_arena;

struct mma_create {
    struct mma_parts parts;
    const uint8_t *key;
    uint32_t share;
    uint32_t gpio;
    uint32_t sensors;
    uint32_t rules;
};

// What was missing, where a request was refused for lack of room.
struct mma_shortage {
    uint32_t missing;
    uint32_t largest;
};

uint32_t mma_arena_free(uint32_t *largest);

// Give a slot to a new executor. The slot's number, or a negative enum mma_error (NOROOM: *shortage tells;
// BUSY: all slots are taken; STATE: the key is in use).
int mma_executor_create(const struct mma_create *create, struct mma_shortage *shortage);

// Its image: begin (again), then pieces in order, then the end. 0 or a negative enum mma_error.
int mma_executor_load(struct mma_executor *executor);
int mma_executor_feed(struct mma_executor *executor, const uint8_t *data, uint32_t length, bool last);
// Bytes of the image taken so far, until the start.
uint32_t mma_executor_loaded(const struct mma_executor *executor);

int mma_executor_start(struct mma_executor *executor, const uint8_t *digest, uint32_t entry, uint32_t memory);
void mma_executor_end(struct mma_executor *executor, enum mma_cause cause, int32_t status);
void mma_executor_free(struct mma_executor *executor);

uint32_t mma_executor_stack_used(const struct mma_executor *executor);
uint32_t mma_executor_memory_used(const struct mma_executor *executor);

void mma_executor_log(struct mma_executor *executor, const void *data, uint32_t length);

uint64_t mma_microseconds(uint64_t cycles);

static inline uint8_t *mma_at(uint32_t address) { return (uint8_t *)(uintptr_t)address; }

// -- scheduler.c ------------------------------------------------------------------------------------------------

// What the kernel did, for GET /k.
struct mma_usage {
    uint64_t idle;   // microseconds
    uint64_t cycles; // that executors had
    uint32_t switches;
};
extern struct mma_usage mma_usage;

void mma_scheduler_add(struct mma_executor *executor); // it became runnable
int32_t mma_scheduler_last(void); // the slot that ran last, or -1
void mma_scheduler_yield(struct mma_executor *executor);
// Run executors until the kernel has other work, or `alarm` (microseconds since boot) comes. Idles where none can run.
void mma_scheduler_run(uint64_t alarm);

// -- calls.c ----------------------------------------------------------------------------------------------------

// Answer a host call.
void mma_host_call(struct mma_executor *executor, const struct mma_called *called);

#endif
