// Counts messages of its framework and answers each; when it is to end, it takes leave first.
#include "mma.h"

static char message[32];
static int32_t count;

static void told(int32_t length) {
    message[length] = 0;
    mma_sendf("%d: %s", ++count, message);
}

static void stop(int32_t milliseconds) {
    mma_logf("%d ms left", milliseconds);
    mma_resultf("%d messages", count);
    mma_exit(0);
}

int main(void) {
    mma_on_message(message, sizeof message - 1, told);
    mma_on_stop(stop);
    mma_log_text("ready");
    return mma_serve();
}
