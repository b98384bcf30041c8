#include "kernel/coap.h"

#include "kernel/bytes.h"

// The extended delta or length of an option (RFC 7252 section 3.1). False where the message ends before it.
static bool take_extended(const uint8_t **at, const uint8_t *end, uint32_t *value) {
    if (*value == 13) {
        if (end - *at < 1) {
            return false;
        }
        *value = 13u + *(*at)++;
    } else if (*value == 14) {
        if (end - *at < 2) {
            return false;
        }
        *value = 269u + ((uint32_t)(*at)[0] << 8 | (*at)[1]);
        *at += 2;
    } else if (*value == 15) {
        return false;
    }
    return true;
}

static uint32_t option_number(const uint8_t *data, uint32_t length) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < length; i++) {
        value = value << 8 | data[i];
    }
    return value;
}

static bool take_block(const uint8_t *data, uint32_t length, struct mma_block *block) {
    uint32_t value = option_number(data, length);
    block->number = value >> 4;
    block->more = value & 8;
    block->size = value & 7;
    block->given = true;
    return length <= 3 && block->size != 7;
}

// One option of a request. False if its value is malformed.
static bool take_option(struct mma_coap *message, uint32_t option, const uint8_t *data, uint32_t length) {
    switch (option) {
    case MMA_OPTION_PATH:
        if (message->depth < MMA_PATH_DEPTH) {
            message->path[message->depth] = (struct mma_view){data, length};
        }
        message->depth += message->depth < 255;
        return true;
    case MMA_OPTION_QUERY:
        message->query = (struct mma_view){data, length};
        return true;
    case MMA_OPTION_OBSERVE:
        message->observes = true;
        message->observe = option_number(data, length);
        return length <= 3;
    case MMA_OPTION_ACCEPT:
        message->accepts = true;
        message->accept = option_number(data, length);
        return length <= 2;
    case MMA_OPTION_BLOCK1:
        return take_block(data, length, &message->block1);
    case MMA_OPTION_BLOCK2:
        return take_block(data, length, &message->block2);
    case MMA_OPTION_PROOF:
        message->proof = (struct mma_view){data, length};
        return true;
    case MMA_OPTION_HOST: // one device a line: whatever it was called, it is us
    case MMA_OPTION_PORT:
        return true;
    default:
        message->unknown |= option & 1; // odd numbers are critical, RFC 7252 section 5.4.6
        return true;
    }
}

bool mma_coap_parse(const uint8_t *data, uint32_t length, struct mma_coap *message) {
    memset(message, 0, sizeof *message);
    if (length < 4) {
        return false;
    }
    message->type = data[0] >> 4 & 3;
    message->code = data[1];
    message->id = (uint16_t)(data[2] << 8 | data[3]);
    message->token_length = data[0] & 15;
    const uint8_t *at = data + 4, *end = data + length;
    if (data[0] >> 6 != 1 || message->token_length > MMA_TOKEN || end - at < message->token_length) {
        return false;
    }
    memcpy(message->token, at, message->token_length);
    at += message->token_length;
    if (message->code == MMA_CODE_EMPTY) {
        return length == 4; // an empty message is empty, RFC 7252 section 4.1
    }
    uint32_t option = 0;
    while (at < end) {
        uint8_t first = *at++;
        if (first == 0xFF) {
            message->payload = (struct mma_view){at, (uint32_t)(end - at)};
            return at < end; // a marker without a payload is a format error
        }
        uint32_t delta = first >> 4, size = first & 15;
        if (!take_extended(&at, end, &delta) || !take_extended(&at, end, &size) || (uint32_t)(end - at) < size) {
            return false;
        }
        option += delta;
        if (option > 0xFFFF || !take_option(message, option, at, size)) {
            return false;
        }
        at += size;
    }
    return true;
}

bool mma_view_is(const struct mma_view *view, const char *text) {
    uint32_t i = 0;
    while (i < view->length && text[i] && (uint8_t)text[i] == view->data[i]) {
        i++;
    }
    return i == view->length && !text[i];
}

bool mma_view_number(const uint8_t *data, uint32_t length, uint32_t *number) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t digit = (uint32_t)data[i] - '0';
        if (digit > 9 || value > (UINT32_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return length > 0;
}

void mma_head_start(struct mma_head *head, enum mma_coap_type type, uint8_t code, uint16_t id, const uint8_t *token,
                    uint32_t token_length) {
    head->bytes[0] = (uint8_t)(1 << 6 | type << 4 | token_length);
    head->bytes[1] = code;
    head->bytes[2] = (uint8_t)(id >> 8);
    head->bytes[3] = (uint8_t)id;
    memcpy(head->bytes + 4, token, token_length);
    head->length = (uint8_t)(4 + token_length);
    head->option = 0;
}

void mma_head_option(struct mma_head *head, enum mma_coap_option option, const void *value, uint32_t length) {
    uint32_t delta = (uint32_t)option - head->option;
    uint8_t *at = head->bytes + head->length;
    // All our options are below 13 + 255 and shorter than 13 bytes.
    *at++ = (uint8_t)((delta < 13 ? delta : 13) << 4 | length);
    if (delta >= 13) {
        *at++ = (uint8_t)(delta - 13);
    }
    memcpy(at, value, length);
    head->length = (uint8_t)(at + length - head->bytes);
    head->option = (uint8_t)option;
}

void mma_head_number(struct mma_head *head, enum mma_coap_option option, uint32_t value) {
    uint8_t bytes[4];
    uint32_t length = 0;
    for (uint32_t shift = 32; shift; shift -= 8) {
        uint8_t byte = (uint8_t)(value >> (shift - 8));
        if (length || byte) {
            bytes[length++] = byte;
        }
    }
    mma_head_option(head, option, bytes, length);
}

void mma_head_block(struct mma_head *head, enum mma_coap_option option, const struct mma_block *block) {
    mma_head_number(head, option, block->number << 4 | (block->more ? 8u : 0u) | block->size);
}

void mma_head_payload(struct mma_head *head) { head->bytes[head->length++] = 0xFF; }
