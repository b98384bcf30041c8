// STM32F4DISCOVERY and Netduino Plus 2: pins that both lead out and neither needs for itself.
#include "boards/board.h"

#define PIN(port, number) (((port) - 'A') * 16 + (number))

const uint8_t mma_board_pins[] = {
    PIN('D', 12), // green LED of the DISCOVERY
    PIN('D', 13), // orange
    PIN('D', 14), // red
    PIN('D', 15), // blue
    PIN('A', 0),  // user button of the DISCOVERY
    PIN('C', 1),  PIN('C', 2), PIN('C', 4),  PIN('C', 5),  PIN('B', 0),  PIN('B', 1),
    PIN('C', 6),  PIN('C', 7), PIN('C', 8),  PIN('C', 9),
    PIN('A', 10), // LED of the Netduino Plus 2
};
const uint32_t mma_board_pin_count = sizeof mma_board_pins;

const struct mma_board_sensor mma_board_sensors[] = {{"temp0", 0}};
const uint32_t mma_board_sensor_count = sizeof mma_board_sensors / sizeof *mma_board_sensors;
