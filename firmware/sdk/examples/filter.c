// Watches temp0: the mean of its last eight readings, and a pin that is high while that is above a limit.
// Arguments: limit in thousandths of a degree (30000), pin (0), readings (40), milliseconds between (100).
// The task's resources must hold both: sensors:{temp0} and gpio:[0-0]
#include "mma.h"

#define WINDOW 8

static int32_t readings[WINDOW];
static int32_t sum;

// Replace the oldest reading; the mean of all in the window.
static int32_t smooth(int32_t n, int32_t reading) {
    int32_t *oldest = &readings[n % WINDOW];
    sum += reading - *oldest;
    *oldest = reading;
    return sum / (n + 1 < WINDOW ? n + 1 : WINDOW);
}

int main(void) {
    int32_t limit = mma_arg_i32(0, 30000);
    int32_t pin = mma_arg_i32(1, 0);
    int32_t count = mma_arg_i32(2, 40);
    int32_t pause = mma_arg_i32(3, 100);
    int32_t mean = 0, alarm = 0;

    if (mma_gpio_mode(pin, MMA_GPIO_OUTPUT)) return 1;
    for (int32_t n = 0; n < count; n++) {
        int32_t reading;
        if (mma_sensor_read("temp0", &reading)) return 2;
        mean = smooth(n, reading);
        if ((mean > limit) != alarm) {
            alarm = !alarm;
            mma_gpio_write(pin, alarm);
            mma_logf("alarm %s at %d", alarm ? "on" : "off", mean);
        }
        mma_sleep_ms((uint32_t)pause);
    }
    mma_resultf("%d", mean);
    return 0;
}
