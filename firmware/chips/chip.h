// What the kernel needs of a microcontroller: the link's UART, pins, sensors, resets. One implementation a folder
// in firmware/chips.
#ifndef MMA_CHIP_H
#define MMA_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "sdk/abi.h"

// Clocks, the link's UART (its interrupts wait for mma_arch_unlock), the watchdog. Called once, interrupts off.
void mma_chip_init(void);
uint32_t mma_chip_core_hz(void);

// Why the board started, as the hardware tells; -1 where it doesn't.
int mma_chip_reset_cause(void);

// Some bits that differ between boots, where the hardware has such.
uint32_t mma_chip_entropy(void);

// Write the words that tell this chip from all others of its kind; how many, 0 where it has none or is emulated.
#define MMA_UNIQUE_WORDS 3
uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]);

// Fetch bytes to send from mma_link_next() until that gives -1. Returns at once. Called with interrupts off.
void mma_chip_uart_send(void);
// mma_link_full() has room again: take what was left in the UART. May be left out where nothing is ever left there.
void mma_chip_uart_receive(void);
// Has the last bit left the wire?
bool mma_chip_uart_drained(void);

void mma_chip_watchdog_feed(void);

// Pins, by the chip's own numbers (see boards/board.h). 0 or a negative enum mma_error; read gives the level.
int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode);
int mma_chip_gpio_write(uint8_t pin, bool level);
int mma_chip_gpio_read(uint8_t pin);

// Watch a pin: call mma_pin_edge(pin) from an interrupt at each of these edges (bits of enum mma_edge; 0 ends it). 0,
// or MMA_ERR_BUSY where what it takes watches another pin, or MMA_ERR_UNSUPPORTED where there is no such hardware:
// then the kernel looks at the pin every millisecond. May be left out.
int mma_chip_gpio_edges(uint8_t pin, uint32_t edges);

// Pulses on an output by a timer; a period of 0 ends them, and the pin is low. 0, or a negative enum mma_error where
// no timer is free that reaches the pin at this period: then the kernel makes them. May be left out.
int mma_chip_pwm(uint8_t pin, uint32_t period_ns, uint32_t high_ns);

// Sensors, by the chip's own numbers. 0 and the value in thousandths of its unit, or a negative enum mma_error.
int mma_chip_sensor(uint8_t sensor, int32_t *value);

#endif
