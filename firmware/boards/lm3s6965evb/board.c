// Stellaris LM3S6965 evaluation board: its LED, its buttons, and pads that lead to nothing else.
#include "boards/board.h"

#define PIN(port, number) (((port) - 'A') * 8 + (number))

const uint8_t mma_board_pins[] = {
    PIN('F', 0), // LED, high lights
    PIN('E', 0), PIN('E', 1), PIN('E', 2), PIN('E', 3), // buttons up, down, left, right: low while pressed
    PIN('F', 1), // button select
    PIN('B', 0), PIN('B', 1), PIN('B', 4), PIN('B', 5), PIN('B', 6), PIN('D', 4), PIN('D', 5), // break-out pads
};
const uint32_t mma_board_pin_count = sizeof mma_board_pins;

const struct mma_board_sensor mma_board_sensors[] = {{"temp0", 0}};
const uint32_t mma_board_sensor_count = sizeof mma_board_sensors / sizeof *mma_board_sensors;
