// Fails on purpose: divides by a number that turns out to be zero. The task ends as TASK_FAILED with the
// trap and the functions that led to it.
#include "mma.h"

__attribute__((noinline)) static int32_t share(int32_t cake, int32_t guests) {
    return cake / guests;
}

int main(void) {
    int32_t guests = mma_arg_i32(0, 0);
    mma_logf("sharing among %d", guests);
    return share(12, guests);
}
