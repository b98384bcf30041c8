// Calls of exports that the gateway asks for while the guest waits (hal/aot/checks.py): health checks and checks.
//
// A rule of ours about being stopped comes first, so the kernel tells it what the gateway posts: milliseconds for an
// end that is wanted, or a number below zero for a call. The guest's own on_stop hangs on that rule, too. What the
// export returned goes out as a line of the log, ten bytes that are borrowed from linear memory and put back at once.
#ifndef MMA_CHECKS_H
#define MMA_CHECKS_H

enum { MMA_CHECK_LINE = 10 };
#define MMA_CHECK_HANDLER 0xFFFFFFFEu
#define MMA_CHECK_NONE 0xFFFFFFFFu

static u32 mma_check(u32 which); // written by hal/aot: calls the export

static u32 mma_check_rule;                  // ours
static u32 mma_check_rules;                 // the guest's own, a bit each
static u32 mma_check_stop = MMA_CHECK_NONE; // its handler of on_stop
static u8 mma_checking;

MMA_INLINE void mma_check_begin(void) {
    mma_check_rule = mma_host_on_stop(MMA_CHECK_HANDLER);
}

MMA_INLINE u32 mma_check_took(u32 rule) {
    if ((s32)rule >= 0) mma_check_rules |= 1u << rule;
    return rule;
}

MMA_INLINE u32 mma_checked_on_edge(u32 pin, u32 edges, u32 handler) {
    return mma_check_took(mma_host_on_edge(pin, edges, handler));
}

MMA_INLINE u32 mma_checked_on_threshold(u32 threshold, u32 handler) {
    return mma_check_took(mma_host_on_threshold(threshold, handler));
}

MMA_INLINE u32 mma_checked_on_timer(u64 period, u32 handler) {
    return mma_check_took(mma_host_on_timer(period, handler));
}

MMA_INLINE u32 mma_checked_on_message(u32 to, u32 size, u32 handler) {
    return mma_check_took(mma_host_on_message(to, size, handler));
}

MMA_INLINE u32 mma_checked_on_stop(u32 handler) {
    if (handler == MMA_CHECK_NONE) return (u32)MMA_ERR_INVALID;
    if (mma_check_stop != MMA_CHECK_NONE) return (u32)MMA_ERR_NOROOM;
    mma_check_stop = handler;
    return mma_check_rule;
}

MMA_INLINE u32 mma_checked_off(u32 rule) {
    if (rule == mma_check_rule) {
        u32 had = mma_check_stop;
        mma_check_stop = MMA_CHECK_NONE;
        return had == MMA_CHECK_NONE ? (u32)MMA_ERR_NOENT : 0;
    }
    u32 answer = mma_host_off(rule);
    if (!answer) mma_check_rules &= ~(1u << rule);
    return answer;
}

// `asked` is as hal/checks.py encodes it: which export in bits 8 to 15, below that what to answer with.
MMA_INLINE void mma_check_answer(u32 asked) {
    mma_checking = 1;
    u32 status = mma_check(asked >> 8 & 0xFF);
    mma_checking = 0;
    u8 kept[MMA_CHECK_LINE];
    for (u32 i = 0; i < MMA_CHECK_LINE; i++) kept[i] = mma_memory[i];
    mma_memory[0] = 3;
    mma_memory[1] = (u8)asked;
    for (u32 i = 0; i < 8; i++) {
        u32 digit = status >> (28 - 4 * i) & 15;
        mma_memory[2 + i] = (u8)(digit + (digit < 10 ? '0' : 'a' - 10));
    }
    mma_host_log(0, MMA_CHECK_LINE);
    for (u32 i = 0; i < MMA_CHECK_LINE; i++) mma_memory[i] = kept[i];
}

// In the place of `wait`. Without a rule of the guest's own there is nothing to wait for, as always; and an export
// that is being called has nothing to wait for either.
static __attribute__((noinline, nodebug)) u64 mma_checked_wait(void) {
    MMA_ENTER();
    while (!mma_checking && (mma_check_rules || mma_check_stop != MMA_CHECK_NONE)) {
        u64 told = mma_host_wait();
        if ((u32)told != MMA_CHECK_HANDLER) return told;
        if ((s32)(told >> 32) < 0) {
            mma_check_answer((u32)(told >> 32));
        } else if (mma_check_stop != MMA_CHECK_NONE) {
            return mma_check_stop | (told >> 32 << 32);
        }
    }
    return ~0ull;
}

#endif
