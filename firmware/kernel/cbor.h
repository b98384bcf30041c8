// CBOR (RFC 8949), as much as docs/link.md uses. Pure.
//
// Written through a window, so that any resource can be read block by block without a buffer of its size: bytes
// before the window are counted and dropped, bytes after it are counted only.
#ifndef MMA_CBOR_H
#define MMA_CBOR_H

#include <stdbool.h>
#include <stdint.h>

struct mma_out {
    uint8_t *to;
    uint32_t from;  // first byte wanted
    uint32_t room;  // bytes wanted from there on
    uint32_t total; // bytes written so far, wanted or not
};

void mma_out_bytes(struct mma_out *out, const void *data, uint32_t length);
void mma_out_text(struct mma_out *out, const char *text);

enum mma_cbor_type {
    MMA_CBOR_UINT = 0,
    MMA_CBOR_NEGATIVE = 1,
    MMA_CBOR_BYTES = 2,
    MMA_CBOR_TEXT = 3,
    MMA_CBOR_ARRAY = 4,
    MMA_CBOR_MAP = 5,
    MMA_CBOR_TAG = 6,
    MMA_CBOR_SIMPLE = 7,
};

void mma_cbor_head(struct mma_out *out, enum mma_cbor_type type, uint32_t value);
void mma_cbor_uint64(struct mma_out *out, uint64_t value);
void mma_cbor_int(struct mma_out *out, int32_t value);
void mma_cbor_bytes(struct mma_out *out, const void *data, uint32_t length);
void mma_cbor_text(struct mma_out *out, const char *text);
// A map's key, then the value: what most of our maps hold.
void mma_cbor_pair(struct mma_out *out, uint32_t key, uint32_t value);

// One item of a map that was received: unsigned integers and byte strings are all we ask for.
struct mma_cbor_item {
    enum mma_cbor_type type;
    uint32_t value; // the integer, or the length of the string
    const uint8_t *data;
};

// Find an unsigned key in the map that is the whole of data. False if it isn't there, or the map is malformed.
bool mma_cbor_find(const uint8_t *data, uint32_t length, uint32_t key, struct mma_cbor_item *item);

// The unsigned value of a key, or `otherwise` where there is none.
uint32_t mma_cbor_number(const uint8_t *data, uint32_t length, uint32_t key, uint32_t otherwise);

// The byte string of a key, which must have so many bytes; NULL where there is none.
const uint8_t *mma_cbor_string(const uint8_t *data, uint32_t length, uint32_t key, uint32_t bytes);

#endif
