#include "kernel/pins.h"

#include "arch/arch.h"
#include "boards/board.h"
#include "chips/chip.h"

// Kept over a reset, as what is wired to a board would be.
volatile struct mma_stand_in mma_stand_in __attribute__((section(".noinit")));

void mma_pins_boot(void) {
    mma_stand_in.outputs = 0;
    mma_stand_in.directions = 0;
}

static uint32_t with_bit(uint32_t word, uint32_t bit, uint32_t value) {
    return (word & ~(1u << bit)) | (value ? 1u << bit : 0);
}

int mma_pin_mode(uint32_t pin, enum mma_gpio_mode mode) {
    int error = mma_chip_gpio_mode(mma_board_pins[pin], mode);
    if (!error) {
        mma_stand_in.directions = with_bit(mma_stand_in.directions, pin, mode == MMA_GPIO_OUTPUT);
    }
    return error;
}

int mma_pin_write(uint32_t pin, uint32_t level) {
    int error = mma_chip_gpio_write(mma_board_pins[pin], level != 0);
    if (!error) {
        mma_stand_in.outputs = with_bit(mma_stand_in.outputs, pin, level);
    }
    return error;
}

int mma_pin_read(uint32_t pin) {
    if (mma_stand_in.magic == MMA_STAND_IN_MAGIC) {
        if (mma_stand_in.directions >> pin & 1) {
            return mma_stand_in.outputs >> pin & 1;
        }
        if (mma_stand_in.driven >> pin & 1) {
            return mma_stand_in.inputs >> pin & 1;
        }
    }
    return mma_chip_gpio_read(mma_board_pins[pin]);
}

// Bits of the pins that had an edge. Written by interrupts.
static volatile uint32_t edges_noted;

__attribute__((weak)) int mma_chip_gpio_edges(uint8_t pin, uint32_t edges) {
    (void)pin;
    (void)edges;
    return MMA_ERR_UNSUPPORTED;
}

__attribute__((weak)) int mma_chip_pwm(uint8_t pin, uint32_t period_ns, uint32_t high_ns) {
    (void)pin;
    (void)period_ns;
    (void)high_ns;
    return MMA_ERR_UNSUPPORTED;
}

int mma_pin_watch(uint32_t pin, uint32_t edges) { return mma_chip_gpio_edges(mma_board_pins[pin], edges); }

void mma_pin_edge(uint8_t chip_pin) {
    uint32_t pin = 0;
    while (pin < mma_board_pin_count && mma_board_pins[pin] != chip_pin) {
        pin++;
    }
    if (pin < mma_board_pin_count) {
        edges_noted |= 1u << pin; // interrupts that note edges don't interrupt each other
        mma_arch_wake();
    }
}

uint32_t mma_pin_edges(void) {
    if (!edges_noted) {
        return 0;
    }
    uint32_t before = mma_arch_lock();
    uint32_t noted = edges_noted;
    edges_noted = 0;
    mma_arch_unlock(before);
    return noted;
}

int mma_pin_pwm(uint32_t pin, uint32_t period_ns, uint32_t high_ns) {
    return mma_chip_pwm(mma_board_pins[pin], period_ns, high_ns);
}

int mma_sensor_read(uint32_t sensor, int32_t *value) {
    if (mma_stand_in.magic == MMA_STAND_IN_MAGIC && sensor < MMA_STAND_IN_SENSORS) {
        *value = mma_stand_in.sensors[sensor];
        return 0;
    }
    return mma_chip_sensor(mma_board_sensors[sensor].sensor, value);
}

uint32_t mma_sensor_count(void) {
    uint32_t count = mma_board_sensor_count;
    int32_t value;
    while (count && mma_sensor_read(count - 1, &value) == MMA_ERR_NOENT) {
        count--;
    }
    return count;
}
