// Pins and sensors of the board, by their numbers in the grants; and a stand-in for those that an emulator lacks.
#ifndef MMA_PINS_H
#define MMA_PINS_H

#include <stdint.h>

#include "sdk/abi.h"

#define MMA_STAND_IN_MAGIC 0x4E494D4Du // "MMIN"
#define MMA_STAND_IN_SENSORS 4

// An emulator that has no model of a pin or sensor writes what they read here, by this symbol's address, and then
// the magic; from there on the guests read that and not the chip: all sensors, and the pins that are driven. Where
// the outputs are is told in any case.
struct mma_stand_in {
    uint32_t magic;
    int32_t sensors[MMA_STAND_IN_SENSORS]; // thousandths of the unit, in the order of the board's sensors
    uint32_t inputs;                       // bit N: level of gpio N, where it is an input
    uint32_t outputs;                      // written by the kernel: level of gpio N, where it is an output
    uint32_t directions;                   // written by the kernel: gpio N is an output
    uint32_t driven;                       // bit N: the level of gpio N is among the inputs
};
extern volatile struct mma_stand_in mma_stand_in;

// 0 or a level, or a negative enum mma_error. `pin` and `sensor` exist.
int mma_pin_mode(uint32_t pin, enum mma_gpio_mode mode);
int mma_pin_write(uint32_t pin, uint32_t level);
int mma_pin_read(uint32_t pin);
int mma_sensor_read(uint32_t sensor, int32_t *value);
// How many sensors there are: those at the end of the board's table that its chip hasn't, and nothing stands in for,
// are not.
uint32_t mma_sensor_count(void);

// Edges: watch a pin (0 ends it; as mma_chip_gpio_edges), note one, by the chip's number and from its interrupt, and
// take those noted since the last time, bit N for gpio N.
int mma_pin_watch(uint32_t pin, uint32_t edges);
void mma_pin_edge(uint8_t chip_pin);
uint32_t mma_pin_edges(void);

// Pulses by the hardware, as mma_chip_pwm.
int mma_pin_pwm(uint32_t pin, uint32_t period_ns, uint32_t high_ns);

void mma_pins_boot(void);

#endif
