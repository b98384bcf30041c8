#include "kernel/slip.h"

int mma_slip_put(struct mma_slip_in *in, uint8_t byte) {
    if (byte == MMA_SLIP_END) {
        int result = in->broken || in->escaped ? -1 : in->length;
        in->length = 0;
        in->escaped = false;
        in->broken = false;
        return result;
    }
    if (in->escaped) {
        in->escaped = false;
        if (byte == MMA_SLIP_ESC_END) {
            byte = MMA_SLIP_END;
        } else if (byte == MMA_SLIP_ESC_ESC) {
            byte = MMA_SLIP_ESC;
        } else {
            in->broken = true;
        }
    } else if (byte == MMA_SLIP_ESC) {
        in->escaped = true;
        return 0;
    }
    if (in->length == in->room) {
        in->broken = true;
    } else {
        in->frame[in->length++] = byte;
    }
    return 0;
}

enum { STEP_FIRST, STEP_BODY, STEP_ESCAPED, STEP_OVER };

void mma_slip_start(struct mma_slip_out *out, const uint8_t *frame, uint16_t length) {
    out->frame = frame;
    out->length = length;
    out->at = 0;
    out->step = STEP_FIRST;
}

int mma_slip_next(struct mma_slip_out *out) {
    switch (out->step) {
    case STEP_FIRST:
        out->step = STEP_BODY;
        return MMA_SLIP_END;
    case STEP_BODY: {
        if (out->at == out->length) {
            out->step = STEP_OVER;
            return MMA_SLIP_END;
        }
        uint8_t byte = out->frame[out->at];
        if (byte == MMA_SLIP_END || byte == MMA_SLIP_ESC) {
            out->step = STEP_ESCAPED;
            return MMA_SLIP_ESC;
        }
        out->at++;
        return byte;
    }
    case STEP_ESCAPED:
        out->step = STEP_BODY;
        return out->frame[out->at++] == MMA_SLIP_END ? MMA_SLIP_ESC_END : MMA_SLIP_ESC_ESC;
    default:
        return -1;
    }
}

uint16_t mma_fcs16(uint16_t fcs, const uint8_t *data, uint32_t length) {
    // By nibbles: the table of RFC 1662 has 512 bytes, this one 32.
    static const uint16_t table[16] = {
        0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
        0x8408, 0x9489, 0xA50A, 0xB58B, 0xC60C, 0xD68D, 0xE70E, 0xF78F,
    };
    for (uint32_t i = 0; i < length; i++) {
        fcs = (uint16_t)(fcs >> 4 ^ table[(fcs ^ data[i]) & 15]);
        fcs = (uint16_t)(fcs >> 4 ^ table[(fcs ^ data[i] >> 4) & 15]);
    }
    return fcs;
}
