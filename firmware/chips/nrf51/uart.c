// The link: UART0 on the pins that lead to the micro:bit's USB interface chip. Reference manual, chapter 29.
#include "arch/cortex_m/registers.h"
#include "chip.h"
#include "kernel/link.h"
#include "registers.h"

#ifndef MMA_BAUD
#define MMA_BAUD 115200
#endif

enum {
    TX_PIN = 24,
    RX_PIN = 25,
    NO_PIN = -1,
    OUTPUT = 1 | 1 << 1,   // PIN_CNF: direction, input buffer off
    INPUT_UP = 3 << 2,     // pull-up: an open input must not chatter
    ENABLED = 4,
    RECEIVED = 1 << 2,     // INTEN
    SENT = 1 << 7,
    FAILED = 1 << 9,
    OVERRUN = 1,           // ERRORSRC
};

// BAUDRATE is in units of 16 MHz / 2^32, of which the upper 20 bits count: rounded to them.
#define RATE ((uint32_t)(((uint64_t)MMA_BAUD << 32) / MMA_NRF51_HZ + 0x800) & 0xFFFFF000u)

static volatile bool busy; // a byte is on its way

void mma_nrf51_uart(void) {
    GPIO_OUTSET = 1u << TX_PIN;
    GPIO_PIN_CNF(TX_PIN) = OUTPUT;
    GPIO_PIN_CNF(RX_PIN) = INPUT_UP;
    UART_PSELTXD = TX_PIN;
    UART_PSELRXD = RX_PIN;
    UART_PSELRTS = UART_PSELCTS = (uint32_t)NO_PIN;
    UART_BAUDRATE = RATE;
    UART_CONFIG = 0; // no parity, no flow control
    UART_ENABLE = ENABLED;
    UART_INTENSET = RECEIVED | SENT | FAILED;
    UART_STARTTX = 1;
    UART_STARTRX = 1;
    mma_nvic_enable(UART_IRQ);
}

void mma_chip_uart_send(void) {
    int byte = busy ? -1 : mma_link_next();
    if (byte >= 0) {
        busy = true;
        UART_TXD = (uint32_t)byte;
    }
}

void mma_chip_uart_receive(void) { UART_INTENSET = RECEIVED; }

bool mma_chip_uart_drained(void) { return !busy; }

void mma_uart_handler(void) {
    if (UART_ERROR) {
        UART_ERROR = 0;
        uint32_t source = UART_ERRORSRC;
        UART_ERRORSRC = source; // written ones clear
        if (source & OVERRUN) {
            mma_link_lost();
        }
    }
    while (UART_RXDRDY) {
        if (mma_link_full()) {
            UART_INTENCLR = RECEIVED;
            break;
        }
        UART_RXDRDY = 0; // before the read, which may raise it again for the next byte
        mma_link_receive((uint8_t)UART_RXD);
    }
    if (UART_TXDRDY) {
        UART_TXDRDY = 0;
        busy = false;
        mma_chip_uart_send();
    }
}
