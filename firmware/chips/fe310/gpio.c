// Pins, by the chip's numbers GPIO 0 to 31. FE310-G002 Manual, chapter 17.
#include "chips/chip.h"
#include "registers.h"

static void put(volatile uint32_t *at, uint8_t pin, bool value) {
    *at = (*at & ~(1u << pin)) | (uint32_t)value << pin;
}

int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode) {
    if (mode == MMA_GPIO_INPUT_PULLDOWN) {
        return MMA_ERR_UNSUPPORTED; // it pulls up, or not
    }
    put(&GPIO_PUE, pin, mode == MMA_GPIO_INPUT_PULLUP);
    put(&GPIO_INPUT_EN, pin, true); // what an output drives can be read, too
    put(&GPIO_OUTPUT_EN, pin, mode == MMA_GPIO_OUTPUT);
    return 0;
}

int mma_chip_gpio_write(uint8_t pin, bool level) {
    put(&GPIO_OUTPUT_VAL, pin, level);
    return 0;
}

int mma_chip_gpio_read(uint8_t pin) { return GPIO_INPUT_VAL >> pin & 1; }

// The chip has no sensor.
int mma_chip_sensor(uint8_t sensor, int32_t *value) {
    (void)sensor;
    (void)value;
    return MMA_ERR_NOENT;
}
