#include "kernel/pins.h"

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
        uint32_t levels = mma_stand_in.directions >> pin & 1 ? mma_stand_in.outputs : mma_stand_in.inputs;
        return (int)(levels >> pin & 1);
    }
    return mma_chip_gpio_read(mma_board_pins[pin]);
}

int mma_sensor_read(uint32_t sensor, int32_t *value) {
    if (mma_stand_in.magic == MMA_STAND_IN_MAGIC && sensor < MMA_STAND_IN_SENSORS) {
        *value = mma_stand_in.sensors[sensor];
        return 0;
    }
    return mma_chip_sensor(mma_board_sensors[sensor].sensor, value);
}
