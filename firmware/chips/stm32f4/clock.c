// Clocks: 168 MHz out of the internal oscillator, so that boards with any crystal run the same image.
//
// RM0090 3.5.1 (flash wait states), 5.1.4 (voltage scaling), 6.2 (clock tree). Every wait ends by itself: some
// emulators have no such registers, and a board whose PLL fails still talks, at 16 MHz.
#include "arch/arch.h"
#include "chip.h"
#include "registers.h"

#define TRIES 200000u

static uint32_t core_hz = 168000000;
static uint32_t uart_hz = 84000000;

static bool comes(volatile uint32_t *at, uint32_t mask, uint32_t value) {
    for (uint32_t i = 0; i < TRIES; i++) {
        if ((*at & mask) == value) {
            return true;
        }
    }
    return false;
}

void mma_stm32f4_clock(void) {
    enum { HSIRDY = 1 << 1, PLLON = 1 << 24, PLLRDY = 1 << 25 };
    if (!(RCC_CR & HSIRDY)) {
        return; // the core runs on this very oscillator after reset: no clock tree here, so an emulator
    }
    RCC_APB1ENR |= 1 << 28; // power interface
    PWR_CR |= 1 << 14;      // scale 1, for more than 144 MHz
    RCC_PLLCFGR = 8 | 168 << 6 | 0 << 16 | 7 << 24; // 16 MHz / 8 * 168 / 2, from the internal oscillator
    RCC_CR |= PLLON;
    if (!comes(&RCC_CR, PLLRDY, PLLRDY)) {
        RCC_CR &= ~(uint32_t)PLLON;
        core_hz = uart_hz = 16000000;
        return;
    }
    (void)comes(&PWR_CSR, 1 << 14, 1 << 14); // the regulator follows
    FLASH_ACR = 5 | 1 << 8 | 1 << 9 | 1 << 10; // five wait states, prefetch, both caches
    (void)comes(&FLASH_ACR, 7, 5);
    RCC_CFGR = 5 << 10 | 4 << 13; // APB1 a quarter, APB2 a half
    RCC_CFGR |= 2;                // the PLL drives the core
    (void)comes(&RCC_CFGR, 3 << 2, 2 << 2);
}

uint32_t mma_chip_core_hz(void) { return core_hz; }

uint32_t mma_stm32f4_uart_hz(void) { return uart_hz; }

// Twice APB1's clock where that is divided (RM0090 6.2), which makes it APB2's.
uint32_t mma_stm32f4_timer_hz(void) { return uart_hz; }
