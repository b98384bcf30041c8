// Is well until a message says otherwise. While it waits the gateway calls `healthy` and `beats`, as the health check
// and the check of its task ask for (docs/tasks.md).
#include "mma.h"

static int32_t sick, count;
static char message[32];

__attribute__((export_name("healthy"))) int32_t healthy(void) {
    return sick;
}

__attribute__((export_name("beats"))) int32_t beats(void) {
    return count;
}

static void told(int32_t length) {
    sick = length && message[0] == 's';
    mma_logf("%s", sick ? "sick" : "well");
}

static void beat(int32_t periods) {
    count += periods;
}

static void stop(int32_t milliseconds) {
    mma_logf("%d ms left", milliseconds);
    mma_exit(0);
}

int main(void) {
    if (mma_on_message(message, sizeof message, told) < 0) return 1;
    if (mma_on_timer(250000, beat) < 0) return 2;
    if (mma_on_stop(stop) < 0) return 3;
    return mma_serve();
}
