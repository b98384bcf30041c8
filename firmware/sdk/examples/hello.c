// The smallest executor: one line in the log, and done.
#include "mma.h"

int main(void) {
    mma_log_text("hello from an executor");
    mma_result_text("hello");
    return 0;
}
