// CoAP messages (RFC 7252, 7641, 7959) taken apart and put together. Pure: views into the caller's buffer.
#ifndef MMA_COAP_H
#define MMA_COAP_H

#include <stdbool.h>
#include <stdint.h>

enum mma_coap_type { MMA_COAP_CON = 0, MMA_COAP_NON = 1, MMA_COAP_ACK = 2, MMA_COAP_RST = 3 };

#define MMA_CODE(c, dd) ((c) << 5 | (dd))

enum mma_coap_code {
    MMA_CODE_EMPTY = 0,
    MMA_CODE_GET = 1,
    MMA_CODE_POST = 2,
    MMA_CODE_PUT = 3,
    MMA_CODE_DELETE = 4,
    MMA_CODE_CREATED = MMA_CODE(2, 1),
    MMA_CODE_DELETED = MMA_CODE(2, 2),
    MMA_CODE_CHANGED = MMA_CODE(2, 4),
    MMA_CODE_CONTENT = MMA_CODE(2, 5),
    MMA_CODE_CONTINUE = MMA_CODE(2, 31),
    MMA_CODE_BAD_REQUEST = MMA_CODE(4, 0),
    MMA_CODE_UNAUTHORIZED = MMA_CODE(4, 1),
    MMA_CODE_BAD_OPTION = MMA_CODE(4, 2),
    MMA_CODE_FORBIDDEN = MMA_CODE(4, 3),
    MMA_CODE_NOT_FOUND = MMA_CODE(4, 4),
    MMA_CODE_NOT_ALLOWED = MMA_CODE(4, 5),
    MMA_CODE_NOT_ACCEPTABLE = MMA_CODE(4, 6),
    MMA_CODE_INCOMPLETE = MMA_CODE(4, 8),
    MMA_CODE_CONFLICT = MMA_CODE(4, 9),
    MMA_CODE_TOO_LARGE = MMA_CODE(4, 13),
    MMA_CODE_INTERNAL = MMA_CODE(5, 0),
    MMA_CODE_UNAVAILABLE = MMA_CODE(5, 3),
};

enum mma_coap_option {
    MMA_OPTION_HOST = 3,
    MMA_OPTION_OBSERVE = 6,
    MMA_OPTION_PORT = 7,
    MMA_OPTION_LOCATION = 8,
    MMA_OPTION_PATH = 11,
    MMA_OPTION_FORMAT = 12,
    MMA_OPTION_QUERY = 15,
    MMA_OPTION_ACCEPT = 17,
    MMA_OPTION_BLOCK2 = 23,
    MMA_OPTION_BLOCK1 = 27,
    MMA_OPTION_PROOF = 65001, // ours: of the range for experiments, critical
};

enum { MMA_FORMAT_LINKS = 40, MMA_FORMAT_OCTETS = 42, MMA_FORMAT_CBOR = 60, MMA_FORMAT_NONE = 0xFFFF };

#define MMA_PATH_DEPTH 3
#define MMA_TOKEN 8

struct mma_view {
    const uint8_t *data;
    uint32_t length;
};

struct mma_block {
    uint32_t number;
    uint8_t size; // szx: blocks of 2^(szx + 4) bytes
    bool more;
    bool given;
};

struct mma_coap {
    uint8_t type;
    uint8_t code;
    uint16_t id;
    uint8_t token[MMA_TOKEN];
    uint8_t token_length;
    uint8_t depth; // of the path; past MMA_PATH_DEPTH only counted
    bool unknown;  // a critical option that we don't know
    bool observes; // observe says what
    bool accepts;  // accept says what
    uint32_t observe;
    uint32_t accept;
    struct mma_view path[MMA_PATH_DEPTH];
    struct mma_view query; // the last one
    struct mma_block block1;
    struct mma_block block2;
    struct mma_view payload;
    struct mma_view proof;
};

// False if it isn't a CoAP message. The header's fields (type, code, id, token_length) are set where there are
// four bytes at all; `type` and `id` then suffice for a reset.
bool mma_coap_parse(const uint8_t *data, uint32_t length, struct mma_coap *message);

// Is this segment of the path this text?
bool mma_view_is(const struct mma_view *view, const char *text);
// A decimal number without anything around it. False if it is none or past 32 bits.
bool mma_view_number(const uint8_t *data, uint32_t length, uint32_t *number);

#define MMA_HEAD 48 // most bytes before a payload that we ever write

struct mma_head {
    uint8_t bytes[MMA_HEAD];
    uint8_t length;
    uint8_t option; // the last one: options go in rising order
};

void mma_head_start(struct mma_head *head, enum mma_coap_type type, uint8_t code, uint16_t id, const uint8_t *token,
                    uint32_t token_length);
void mma_head_option(struct mma_head *head, enum mma_coap_option option, const void *value, uint32_t length);
void mma_head_number(struct mma_head *head, enum mma_coap_option option, uint32_t value);
void mma_head_block(struct mma_head *head, enum mma_coap_option option, const struct mma_block *block);
void mma_head_payload(struct mma_head *head); // the marker; call it only where a payload follows

#endif
