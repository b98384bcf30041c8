// Blinks a pin. Arguments: pin (0), how often (5), half a period in milliseconds (250).
// The task's resources must hold the pin: gpio:[0-0]
#include "mma.h"

int main(void) {
    int32_t pin = mma_arg_i32(0, 0);
    int32_t times = mma_arg_i32(1, 5);
    int32_t half = mma_arg_i32(2, 250);

    int32_t error = mma_gpio_mode(pin, MMA_GPIO_OUTPUT);
    if (error) {
        mma_logf("pin %d is not mine: error %d", pin, error);
        return 1;
    }
    for (int32_t n = 0; n < times; n++) {
        mma_gpio_write(pin, 1);
        mma_sleep_ms((uint32_t)half);
        mma_gpio_write(pin, 0);
        mma_sleep_ms((uint32_t)half);
    }
    mma_logf("blinked %d times", times);
    return 0;
}
