// A board: which pins and sensors of its chip it has, under which names. Data only.
#ifndef MMA_BOARD_H
#define MMA_BOARD_H

#include <stdint.h>

// gpio N of the tasks' resources is pin mma_board_pins[N] of the chip.
extern const uint8_t mma_board_pins[];
extern const uint32_t mma_board_pin_count; // 32 at most: grants are a bit mask

struct mma_board_sensor {
    const char *name;
    uint8_t sensor; // the chip's number
};
extern const struct mma_board_sensor mma_board_sensors[];
extern const uint32_t mma_board_sensor_count; // 32 at most

#endif
