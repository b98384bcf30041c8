// Pins, numbered 16 * port + pin. RM0090 8.3.
#include "chips/chip.h"
#include "registers.h"

static uint32_t port_of(uint8_t pin) { return pin >> 4; }

int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode) {
    uint32_t port = port_of(pin), at = (pin & 15u) * 2;
    uint32_t pull = mode == MMA_GPIO_INPUT_PULLUP ? 1 : mode == MMA_GPIO_INPUT_PULLDOWN ? 2 : 0;
    RCC_AHB1ENR |= 1u << port;
    (void)RCC_AHB1ENR; // the clock is there two cycles after the write (errata ES0182 2.1.13)
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << at)) | pull << at;
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << at)) | (mode == MMA_GPIO_OUTPUT ? 1u : 0u) << at;
    return 0;
}

int mma_chip_gpio_write(uint8_t pin, bool level) {
    GPIO_BSRR(port_of(pin)) = 1u << ((pin & 15u) + (level ? 0 : 16));
    return 0;
}

int mma_chip_gpio_read(uint8_t pin) { return GPIO_IDR(port_of(pin)) >> (pin & 15u) & 1; }
