// Fades an LED in and out by the width of its pulses. Arguments: pin (0), how often (3), milliseconds a fade (1000).
// The task's resources must hold the pin: gpio:[0-0]
#include "mma.h"

#define PERIOD 2000000 // nanoseconds
#define STEPS 50

static int32_t pin, left;

// The eye takes the square of the light for even steps.
static void step(int32_t periods) {
    static int32_t at;
    at += periods;
    if (at >= 2 * STEPS) {
        at = 0;
        if (--left == 0) mma_exit(mma_pwm(pin, 0, 0));
    }
    uint32_t height = (uint32_t)(at < STEPS ? at : 2 * STEPS - at);
    mma_pwm(pin, PERIOD, PERIOD / (STEPS * STEPS) * height * height);
}

int main(void) {
    pin = mma_arg_i32(0, 0);
    left = mma_arg_i32(1, 3);
    uint64_t fade = (uint64_t)mma_arg_i32(2, 1000) * 1000;
    int32_t error = mma_pwm(pin, PERIOD, 0);
    if (error) {
        mma_logf("no pulses on pin %d: error %d", pin, error);
        return 1;
    }
    mma_on_timer(fade / STEPS, step);
    return mma_serve();
}
