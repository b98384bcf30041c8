#include "kernel/kept.h"

#include "chips/chip.h"
#include "kernel/bytes.h"
#include "kernel/executor.h"

#define MAGIC 0x4D4D4131u // "MMA1"

static struct mma_kept kept __attribute__((section(".noinit")));
static struct mma_crash crash; // of the boot before
static int32_t crash_slot;
static uint32_t cause;
static bool recorded;       // there is a crash record

#define HANG 3000000u       // microseconds; the watchdog waits for longer
static volatile bool alive; // came round since `seen`
static uint32_t seen;

static uint32_t sum(void) {
    const uint32_t *word = (const uint32_t *)(const void *)&kept;
    uint32_t total = 0;
    for (uint32_t i = 0; i < sizeof kept / 4 - 1; i++) {
        total = (total << 1 | total >> 31) + word[i];
    }
    return total;
}

void mma_kept_boot(void) {
    int told = mma_chip_reset_cause();
    if (kept.magic == MAGIC && kept.check == sum()) {
        if (kept.reset) {
            cause = kept.reset - 1;
        } else {
            cause = told >= 0 ? (uint32_t)told : MMA_RESET_PIN; // the RAM lived, so power did not go
        }
        if (kept.reset && (cause == MMA_RESET_CRASH || cause == MMA_RESET_WATCHDOG)) {
            recorded = true;
            crash = kept.crash;
            crash_slot = kept.slot;
        }
    } else {
        memset(&kept, 0, sizeof kept);
        kept.magic = MAGIC;
        cause = told >= 0 ? (uint32_t)told : MMA_RESET_POWER;
    }
    kept.boots++;
    kept.reset = 0;
    kept.check = sum();
}

uint32_t mma_kept_boots(void) { return kept.boots; }

uint32_t mma_kept_cause(void) { return cause; }

const struct mma_crash *mma_kept_crash(int32_t *slot) {
    *slot = crash_slot;
    return recorded ? &crash : 0;
}

void mma_kept_restart(void) {
    kept.reset = MMA_RESET_SOFTWARE + 1;
    kept.check = sum();
    mma_arch_reset();
}

static _Noreturn void end(const struct mma_crash *why, enum mma_reset reset) {
    kept.crash = *why;
    kept.slot = mma_scheduler_last();
    kept.reset = (uint32_t)reset + 1;
    kept.check = sum();
    mma_arch_reset();
}

void mma_crashed(const struct mma_crash *why) { end(why, MMA_RESET_CRASH); }

void mma_hung(const struct mma_crash *where) { end(where, MMA_RESET_WATCHDOG); }

void mma_kept_alive(void) { alive = true; }

bool mma_kept_hangs(uint64_t now) {
    if (alive) {
        alive = false;
        seen = (uint32_t)now;
    }
    return (uint32_t)now - seen > HANG;
}
