// The line: bytes in, frames out. Interrupt handlers on one side, the kernel's thread on the other.
#ifndef MMA_LINK_H
#define MMA_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/coap.h"
#include "kernel/config.h"

#define MMA_MARK_TEXT 0x0A
#define MMA_MARK_COAP 0xA9

// A frame to send: built by its owner, and left alone by it while `mma_link_sending`.
enum mma_frame { MMA_FRAME_REPLY = 0, MMA_FRAME_NOTICE = 1, MMA_FRAMES = 2 };

struct mma_link_counts {
    uint32_t frames_in;
    uint32_t frames_out;
    uint32_t bad_fcs;
    uint32_t bad_frames;
    uint32_t lost_bytes;
};
extern struct mma_link_counts mma_link_counts;

// From interrupt handlers.
void mma_link_receive(uint8_t byte);
// Is there no room for a byte? Whoever asks may leave it in the UART's FIFO until mma_chip_uart_receive. (On silicon a
// byte takes longer than the kernel to empty the ring; an emulator's bytes take no time.)
bool mma_link_full(void);
void mma_link_lost(void);
int mma_link_next(void);

// Take received bytes; hands at most one good frame to mma_server_frame. True if there may be more.
bool mma_link_poll(void);

void mma_link_send(enum mma_frame which, const uint8_t *frame, uint32_t length);
bool mma_link_sending(enum mma_frame which);
bool mma_link_quiet(void);

// The one buffer for a request and the answer to it, which is built where the request was and sent from there:
// nothing is received into it meanwhile. An answer's payload begins at MMA_ANSWER, its mark and head end there.
#define MMA_ANSWER (1 + MMA_HEAD)
extern uint8_t mma_link_buffer[MMA_ANSWER + MMA_BLOCK + 2];

// Mark, message and FCS in one frame: `frame` holds the mark and the message already, `length` without the FCS;
// gives the length with it.
uint32_t mma_link_seal(uint8_t *frame, uint32_t length);

#endif
