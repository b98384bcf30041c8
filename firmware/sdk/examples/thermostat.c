// Heats while it is cold: a pin goes high when temp0 falls below the lower limit, low when it rises past the upper
// one, and stays between them. Arguments: limits in thousandths of a degree (20000 22000), pin (0),
// milliseconds between two looks (500). The task's resources must hold sensors:{temp0} and gpio:[0-0]
#include "mma.h"

static int32_t low, pin;

static void passed(int32_t reading) {
    int32_t heat = reading < low;
    mma_gpio_write(pin, heat);
    mma_logf("heater %s at %d", heat ? "on" : "off", reading);
    mma_resultf("%d", reading);
}

int main(void) {
    low = mma_arg_i32(0, 20000);
    int32_t high = mma_arg_i32(1, 22000);
    pin = mma_arg_i32(2, 0);
    uint32_t period = (uint32_t)mma_arg_i32(3, 500) * 1000;
    if (mma_gpio_mode(pin, MMA_GPIO_OUTPUT)) return 1;
    if (mma_on_threshold("temp0", high, low, period, passed) < 0) return 2;
    return mma_serve();
}
