// Who runs: weighted fair shares. Each executor's CPU time counts the more the smaller its share; the one with the
// least counted time runs, for a slice or until it blocks. Whoever wakes up goes first, since it used less than the
// others; but no credit is saved up by sleeping.
#include "chips/chip.h"
#include "kernel/bytes.h"
#include "kernel/executor.h"
#include "kernel/rules.h"

struct mma_usage mma_usage;

// An executor alone runs on so long between two looks at the clock, microseconds.
#define ALONE 50000

static struct mma_executor *last;     // who ran last
static struct mma_executor *aside;    // who yielded, for one choice
static struct mma_executor *admitted; // whom the memory protection admits
static uint64_t turn;                 // when the slice of who ran last is over
static uint64_t floor_time;           // least counted time: where a newcomer starts

static bool runnable(const struct mma_executor *executor) {
    return executor->state == MMA_RUNNING && executor->wake == 0;
}

void mma_scheduler_add(struct mma_executor *executor) {
    uint64_t least = UINT64_MAX; // of the others that can run
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        const struct mma_executor *other = &mma_executors[i];
        if (other != executor && runnable(other) && other->runtime < least) {
            least = other->runtime;
        }
    }
    least = least == UINT64_MAX ? floor_time : least - (least > 0); // before them, but by nothing
    if (executor->runtime < least) {
        executor->runtime = least;
    }
    admitted = 0; // its slot may have been another's before
    turn = 0;     // choose anew
}

int32_t mma_scheduler_last(void) { return last ? last - mma_executors : -1; }

void mma_scheduler_yield(struct mma_executor *executor) {
    aside = executor;
    turn = 0;
}

// Wake who has slept enough. Gives the time when the next one will have, or UINT64_MAX.
static uint64_t wake_sleepers(uint64_t now) {
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        struct mma_executor *executor = &mma_executors[i];
        if (executor->state != MMA_RUNNING || executor->wake == 0) {
            continue;
        }
        if (executor->wake <= now) {
            // Who sleeps only a moment waits for the end of a slice that runs, or it would cut every slice short.
            uint64_t end = turn;
            executor->wake = 0;
            mma_scheduler_add(executor);
            turn = executor->dozed ? end : turn;
        } else if (executor->wake < next) {
            next = executor->wake;
        }
    }
    return next;
}

// Whose turn it is: the runnable executor with the least counted time; equals take turns. NULL if none can run.
static struct mma_executor *choose(uint64_t now) {
    struct mma_executor *best = 0;
    uint32_t first = last ? (uint32_t)(last - mma_executors) + 1 : 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        struct mma_executor *executor = &mma_executors[(first + i) % MMA_SLOTS];
        if (!runnable(executor)) {
            continue;
        }
        count++;
        if (!best || best == aside || (executor != aside && executor->runtime < best->runtime)) {
            best = executor;
        }
    }
    aside = 0;
    turn = now + (count > 1 ? MMA_SLICE : ALONE);
    if (best && best->runtime > floor_time) {
        floor_time = best->runtime;
    }
    if (best && best != last) {
        best->switches++;
        mma_usage.switches++;
        last = best;
    }
    return best;
}

static void leave(struct mma_executor *executor, enum mma_leave why) {
    struct mma_run part = mma_place_stack(&executor->place, &executor->parts);
    if (why == MMA_LEAVE_CALL) {
        struct mma_called called;
        if (mma_arch_call(&executor->context, &part, &called)) {
            mma_host_call(executor, &called);
            return;
        }
        executor->address = executor->context.sp;
        mma_executor_end(executor, MMA_CAUSE_FAULT, 0);
    } else if (why == MMA_LEAVE_FAULT) {
        struct mma_fault fault;
        mma_arch_fault(&executor->context, &part, &fault);
        executor->pc = fault.pc;
        executor->address = fault.address;
        if (fault.stack) {
            mma_executor_end(executor, MMA_CAUSE_TRAP, MMA_TRAP_STACK);
        } else {
            mma_executor_end(executor, MMA_CAUSE_FAULT, (int32_t)fault.status);
        }
    }
}

static void run(struct mma_executor *executor) {
    uint32_t before = mma_cycles();
    enum mma_leave why = mma_arch_enter(&executor->context);
    uint32_t used = mma_cycles() - before;
    executor->cycles += used;
    mma_usage.cycles += used;
    leave(executor, why);
    // What it had the kernel do counts as well: else who calls all the time would have more than its share. In units
    // of four cycles at a whole share: 64 bits hold ten years of who runs alone with the least one.
    executor->runtime += (uint64_t)(mma_cycles() - before) * executor->weight >> 12;
}

void mma_scheduler_run(uint64_t alarm) {
    do {
        uint64_t now = mma_time();
        uint64_t ruled = mma_rules_poll(now), next = wake_sleepers(now);
        struct mma_executor *executor = last && runnable(last) && now < turn ? last : choose(now);
        next = next < ruled ? next : ruled;
        next = next < alarm ? next : alarm;
        if (!executor) {
            mma_alarm(next);
            mma_arch_idle();
            mma_usage.idle += mma_time() - now;
            return;
        }
        if (executor != admitted) {
            mma_arch_protect(&executor->protection);
            admitted = executor;
        }
        mma_alarm(turn < next ? turn : next);
        run(executor);
    } while (!mma_arch_wake_pending());
}
