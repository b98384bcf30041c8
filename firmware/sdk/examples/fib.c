// The n-th Fibonacci number the slow way, as its result. Argument: n (24 unless given).
#include "mma.h"

static uint32_t fib(uint32_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(void) {
    uint32_t n = (uint32_t)mma_arg_i32(0, 24);
    uint32_t value = fib(n);
    mma_logf("fib(%u) = %u", n, value);
    mma_resultf("%u", value);
    return 0;
}
