// SLIP frames (RFC 1055) and their FCS-16 (RFC 1662 appendix C), byte by byte. Pure: no hardware, no statics.
#ifndef MMA_SLIP_H
#define MMA_SLIP_H

#include <stdbool.h>
#include <stdint.h>

enum { MMA_SLIP_END = 0xC0, MMA_SLIP_ESC = 0xDB, MMA_SLIP_ESC_END = 0xDC, MMA_SLIP_ESC_ESC = 0xDD };

// A frame being received into the caller's buffer.
struct mma_slip_in {
    uint8_t *frame;
    uint16_t room;
    uint16_t length;
    bool escaped;
    bool broken;
};

// Take one byte. Positive: a frame of so many bytes is complete, and stays in `frame` until the next call.
// Negative: a frame ended that was too long or had a broken escape. Zero: not yet.
int mma_slip_put(struct mma_slip_in *in, uint8_t byte);

// A frame being sent out of the caller's buffer, which must stay as it is until then.
struct mma_slip_out {
    const uint8_t *frame;
    uint16_t length;
    uint16_t at;
    uint8_t step;
};

void mma_slip_start(struct mma_slip_out *out, const uint8_t *frame, uint16_t length);

// The next byte on the line, or -1 after the last.
int mma_slip_next(struct mma_slip_out *out);

#define MMA_FCS_START 0xFFFF
#define MMA_FCS_GOOD 0xF0B8 // what a frame with its FCS adds up to

uint16_t mma_fcs16(uint16_t fcs, const uint8_t *data, uint32_t length);

#endif
