// Counts on the device itself, by a rule: no gateway is asked, and waiting costs no CPU.
// Arguments: how often (3), milliseconds between (100).
#include "mma.h"

static int32_t count, wanted;

static void tick(int32_t periods) {
    count += periods;
    mma_logf("tick %d of %d", count, wanted);
    if (count < wanted) return;
    mma_resultf("%d", count);
    mma_exit(0);
}

int main(void) {
    wanted = mma_arg_i32(0, 3);
    uint64_t period = (uint64_t)mma_arg_i32(1, 100) * 1000;
    if (mma_on_timer(period, tick) < 0) return 1;
    return mma_serve();
}
