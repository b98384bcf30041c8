// BBC micro:bit v1: the edge connector's pins that it doesn't need for itself, its buttons, its matrix of LEDs.
// (tech.microbit.org, micro:bit v1.5 pin-out.)
#include "boards/board.h"

const uint8_t mma_board_pins[] = {
    3,  2,  1,              // 0-2: the connector's large pins 0, 1, 2
    17, 26,                 // 3, 4: buttons A and B, low while pressed
    18, 20, 23, 22, 21, 16, // 5-10: the connector's pins 8, 12 to 16
    13, 14, 15,             // 11-13: rows of the LEDs, high ...
    4,  5,  6,  7,  8,  9,  10, 11, 12, // 14-22: ... and columns, low: that lights one
};
const uint32_t mma_board_pin_count = sizeof mma_board_pins;

const struct mma_board_sensor mma_board_sensors[] = {{"temp0", 0}};
const uint32_t mma_board_sensor_count = sizeof mma_board_sensors / sizeof *mma_board_sensors;
