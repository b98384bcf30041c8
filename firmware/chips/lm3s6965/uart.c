// The link: UART0 on PA0 and PA1, which lead to the evaluation board's USB interface chip. Data sheet, chapter 12.
#include "arch/arch.h"
#include "arch/cortex_m/registers.h"
#include "chips/chip.h"
#include "kernel/link.h"
#include "registers.h"

#ifndef MMA_BAUD
#define MMA_BAUD 115200
#endif

enum {
    BUSY = 1 << 3, // FR
    RX_EMPTY = 1 << 4,
    TX_FULL = 1 << 5,
    FIFO_8N1 = 0x70, // LCRH
    ON = 1 | 1 << 8 | 1 << 9, // CTL
    RX = 1 << 4 | 1 << 6,     // IM: half full, or silent for 32 bits
    TX = 1 << 5,
    OVERRUN = 1 << 10,        // IM; in DR it is bit 11
    DR_OVERRUN = 1 << 11,
};

void mma_lm3s6965_uart(void) {
    uint32_t divisor = (mma_chip_core_hz() * 4 + MMA_BAUD / 2) / MMA_BAUD; // in 1/64
    SYSCTL_RCGC1 |= 1;
    SYSCTL_RCGC2 |= 1;
    (void)SYSCTL_RCGC2;
    GPIO_AFSEL(0) |= 3;
    GPIO_DEN(0) |= 3;
    GPIO_PUR(0) |= 1; // an open input must not chatter
    UART_IBRD = divisor >> 6;
    UART_FBRD = divisor & 63;
    UART_LCRH = FIFO_8N1;
    UART_IM = RX | OVERRUN;
    UART_CTL = ON;
    mma_nvic_enable(UART_IRQ);
}

void mma_chip_uart_send(void) {
    while (!(UART_FR & TX_FULL)) {
        int byte = mma_link_next();
        if (byte < 0) {
            UART_IM &= ~(uint32_t)TX;
            return;
        }
        UART_DR = (uint32_t)byte;
    }
    UART_IM |= TX;
}

bool mma_chip_uart_drained(void) { return !(UART_FR & BUSY); }

static void take(void) {
    while (!mma_link_full() && !(UART_FR & RX_EMPTY)) {
        uint32_t word = UART_DR;
        mma_link_receive((uint8_t)word);
        if (word & DR_OVERRUN) {
            mma_link_lost();
        }
    }
}

// Its interrupt comes with a byte, not for those that are there.
void mma_chip_uart_receive(void) {
    uint32_t before = mma_arch_lock();
    take();
    mma_arch_unlock(before);
}

void mma_uart_handler(void) {
    UART_ICR = RX | TX | OVERRUN;
    take();
    if (UART_IM & TX) {
        mma_chip_uart_send();
    }
}
