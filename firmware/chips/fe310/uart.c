// The link: UART0, which leads to the HiFive1's USB interface chip. FE310-G002 Manual, chapter 18.
#include "arch/arch.h"
#include "chip.h"
#include "kernel/link.h"
#include "registers.h"

#ifndef MMA_BAUD
#define MMA_BAUD 115200
#endif

enum {
    PINS = 1 << 16 | 1 << 17, // RX, TX
    ON = 1,                   // TXCTRL, RXCTRL
    TX_LEVEL_1 = 1 << 16,     // TXCTRL: below one byte in the FIFO, TX_READY
    TX_READY = 1 << 0,        // IE, IP
    RX_READY = 1 << 1,
    FULL = 1u << 31,  // TXDATA
    EMPTY = 1u << 31, // RXDATA
};

static volatile uint32_t receiving = RX_READY; // or 0, where the kernel has no room

void mma_fe310_uart(void) {
    GPIO_IOF_SEL &= ~(uint32_t)PINS;
    GPIO_IOF_EN |= PINS;
    UART_DIV = mma_chip_core_hz() / MMA_BAUD - 1;
    UART_TXCTRL = ON | TX_LEVEL_1;
    UART_RXCTRL = ON;
    UART_IE = receiving;
    PLIC_PRIORITY(UART0_IRQ) = 1;
    PLIC_ENABLE(0) |= 1u << UART0_IRQ;
}

void mma_chip_uart_send(void) {
    while (!(UART_TXDATA & FULL)) {
        int byte = mma_link_next();
        if (byte < 0) {
            UART_IE = receiving;
            return;
        }
        UART_TXDATA = (uint32_t)byte;
    }
    UART_IE = receiving | TX_READY;
}

void mma_chip_uart_receive(void) {
    uint32_t before = mma_arch_lock();
    receiving = RX_READY;
    UART_IE |= RX_READY;
    mma_arch_unlock(before);
}

// The last byte may still be on its way: mma_chip_restart waits for it.
bool mma_chip_uart_drained(void) { return UART_IP & TX_READY; }

void mma_fe310_uart_interrupt(void) {
    uint32_t word;
    while (!mma_link_full() && !((word = UART_RXDATA) & EMPTY)) {
        mma_link_receive((uint8_t)word);
    }
    if (mma_link_full()) {
        receiving = 0;
        UART_IE &= ~(uint32_t)RX_READY;
    }
    if (UART_IE & TX_READY) {
        mma_chip_uart_send();
    }
}
