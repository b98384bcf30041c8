// Never ends and never yields: a bad neighbour. Others keep their share of the CPU; kill it to end it.
#include "mma.h"

int main(void) {
    mma_log_text("spinning");
    for (volatile uint32_t n = 0;; n++) {
    }
}
