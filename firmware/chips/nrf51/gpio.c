// Pins, by the chip's numbers P0.00 to P0.31. Reference manual, chapter 14.
#include "chips/chip.h"
#include "registers.h"

enum { CNF_OUTPUT = 1, CNF_PULL_DOWN = 1 << 2, CNF_PULL_UP = 3 << 2 };

int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode) {
    GPIO_PIN_CNF(pin) = mode == MMA_GPIO_OUTPUT           ? CNF_OUTPUT
                        : mode == MMA_GPIO_INPUT_PULLUP   ? CNF_PULL_UP
                        : mode == MMA_GPIO_INPUT_PULLDOWN ? CNF_PULL_DOWN
                                                          : 0;
    return 0;
}

int mma_chip_gpio_write(uint8_t pin, bool level) {
    if (level) {
        GPIO_OUTSET = 1u << pin;
    } else {
        GPIO_OUTCLR = 1u << pin;
    }
    return 0;
}

int mma_chip_gpio_read(uint8_t pin) { return GPIO_IN >> pin & 1; }
