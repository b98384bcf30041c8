// HiFive1 (rev A and B): its LEDs, then the header's pins that lead to nothing else on the board.
// (SiFive HiFive1 Getting Started Guide, pin-out.)
#include "boards/board.h"

const uint8_t mma_board_pins[] = {
    19, 21, 22,         // 0-2: LEDs green, blue, red; low lights
    18, 20, 23,         // 3-5: the header's D2, D4, D7
    0,  1,  2,  3,  4,  // 6-10: D8 to D12
    5,                  // 11: D13
    9,  10, 11, 12, 13, // 12-16: D15 to D19
};
const uint32_t mma_board_pin_count = sizeof mma_board_pins;

const struct mma_board_sensor mma_board_sensors[] = {{"temp0", 0}};
const uint32_t mma_board_sensor_count = sizeof mma_board_sensors / sizeof *mma_board_sensors;
