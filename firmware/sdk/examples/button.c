// A button switches an LED, on the device itself: no gateway is asked. Arguments: button pin (4), LED pin (0).
// The task's resources must hold both: gpio:[0-0],[4-4]
#include "mma.h"

static int32_t led, presses;

static void changed(int32_t level) {
    mma_gpio_write(led, level);
    presses += level;
    mma_logf("%s (%d)", level ? "pressed" : "released", presses);
}

int main(void) {
    int32_t button = mma_arg_i32(0, 4);
    led = mma_arg_i32(1, 0);
    if (mma_gpio_mode(button, MMA_GPIO_INPUT_PULLDOWN) || mma_gpio_mode(led, MMA_GPIO_OUTPUT)) return 1;
    if (mma_on_edge(button, MMA_EDGE_BOTH, changed) < 0) return 2;
    mma_log_text("waiting");
    return mma_serve();
}
