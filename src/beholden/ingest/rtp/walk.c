/* The hot path of H.264 and H.265 over interleaved RTP, for compiled.py, which says what goes in and out.
 *
 * It takes packets that are exactly what nearly all are: plain RTP headers, the number that was expected,
 * slices and SEI whole or in fragments; and plain packets of the sound beside them. Before anything else
 * it stops, having changed nothing for that packet, and the Python code, which knows all cases, goes on.
 *
 * Every byte of a payload is copied once, to `out`, where pictures lie as MP4 stores them. Nothing is
 * allocated, nothing is kept between calls but `struct state`, and nothing outside data[at:size], the state
 * and the scratch is touched: each packet brings at most MOST_ADDED bytes more than its payload, and room
 * for that is asked for before the first byte is written.
 */

#include <stdint.h>
#include <string.h>

#ifndef SOURCE
#define SOURCE ""
#endif

/* What compiled.py lays over the same bytes; of it only numbers of eight bytes, so that nothing is padded. */
struct state {
    /* set once */
    int64_t codec, channel, payload_type;
    /* the sound beside it, -1: none; in and out */
    int64_t sound_channel, sound_type, sound_expected;
    /* in and out */
    int64_t expected, stamp, emitted, flags;
    int64_t open_kind; /* of the open slice */
    int64_t bytes;     /* of the open picture, before this call and in it */
    int64_t unit;      /* of the open slice */
    int64_t pieces;    /* of the open picture, as the Python code counts them */
    int64_t is_open;   /* whether a slice in fragments is open */
    /* out */
    int64_t packets, sound_packets, records;
    int64_t begin, end; /* what of the open picture is in `out` */
    int64_t length_at;  /* where in `out` the length of the open slice belongs, -1: before this call */
    int64_t closed;     /* the length of the slice that was open before this call and is whole now, or 0 */
    int64_t too_large;
};

enum { KEY = 1, HAS_SLICE = 2, AFTER_HOLE = 4, TRUST_MARKER = 8 };
enum { H264 = 0, H265 = 1 };
enum { OTHER = 0, PICTURE = 1, KEY_PICTURE = 2, SOUND = 3 };

struct record {
    uint32_t kind, stamp, at, size;
};

#define MOST_RECORDS 1024
#define OUT_BYTES (1 << 19)
#define MOST_ADDED 6
#define HEADER 12
#define MAX_PICTURE_BYTES (16 << 20)
#define MAX_PICTURE_PIECES 65536

struct scratch {
    struct record records[MOST_RECORDS];
    uint8_t out[OUT_BYTES];
};

enum action { STOP, PASS_OVER, WHOLE, BEGINS, GOES_ON, ENDS };

/* One payload: what to do with it, and `body`, which follows the bytes of `own`. */
struct unit {
    enum action action;
    int slice, first, key, kind, own_bytes;
    uint8_t own[2];
    const uint8_t *body;
    int64_t size;
};

const char beholden_source[] = SOURCE;

int64_t beholden_walk_scratch(void) { return (int64_t)sizeof(struct scratch); }
int64_t beholden_walk_state(void) { return (int64_t)sizeof(struct state); }
int64_t beholden_walk_records(void) { return (int64_t)sizeof(((struct scratch *)0)->records); }

static uint32_t two(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t four(const uint8_t *p) { return two(p) << 16 | two(p + 2); }

static void put_length(uint8_t *p, int64_t length) {
    p[0] = (uint8_t)(length >> 24);
    p[1] = (uint8_t)(length >> 16);
    p[2] = (uint8_t)(length >> 8);
    p[3] = (uint8_t)length;
}

static void read_fragment(struct unit *u, uint8_t fu, const uint8_t *payload, int64_t size, int head) {
    if (size <= head) return;
    u->body = payload + head;
    u->size = size - head;
    u->first = u->body[0] >= 0x80;
    switch (fu & 0xC0) {
    case 0x80: u->action = BEGINS; break;
    case 0x00: u->action = GOES_ON; break;
    case 0x40: u->action = ENDS; break;
    default: return; /* begins and ends at once: nobody should */
    }
}

static void read_h264(struct unit *u, const uint8_t *payload, int64_t size) {
    int kind = payload[0] & 31;
    if (kind == 28) {
        if (size < 2) return;
        u->kind = payload[1] & 31;
        u->slice = u->kind == 1 || u->kind == 5;
        u->key = u->kind == 5;
        u->own[0] = (uint8_t)((payload[0] & 0xE0) | u->kind);
        u->own_bytes = 1;
        read_fragment(u, payload[1], payload, size, 2);
        if (u->action == BEGINS && !u->slice) u->action = STOP;
        return;
    }
    u->body = payload;
    u->size = size;
    if (kind == 1 || kind == 5) {
        u->action = WHOLE;
        u->slice = 1;
        u->key = kind == 5;
        u->first = size > 1 && payload[1] >= 0x80;
    } else if (kind == 6) {
        /* A recovery point with nothing left to recover is where cameras without IDR may be entered. */
        u->action = WHOLE;
        u->key = size > 3 && payload[1] == 6 && payload[3] >= 0x80;
    } else if (kind >= 9 && kind <= 12) {
        u->action = PASS_OVER;
    }
}

static void read_h265(struct unit *u, const uint8_t *payload, int64_t size) {
    int kind;
    if (size < 3 || (payload[0] & 1) || payload[1] == 0 || payload[1] >= 8) return;
    kind = payload[0] >> 1 & 63;
    if (kind == 49) {
        u->kind = payload[2] & 63;
        u->slice = u->kind <= 31;
        u->key = u->kind >= 16 && u->kind <= 21;
        u->own[0] = (uint8_t)((payload[0] & 0x81) | u->kind << 1);
        u->own[1] = payload[1];
        u->own_bytes = 2;
        read_fragment(u, payload[2], payload, size, 3);
        if (u->action == BEGINS && !u->slice) u->action = STOP;
        return;
    }
    u->body = payload;
    u->size = size;
    if (kind <= 31) {
        u->action = WHOLE;
        u->slice = 1;
        u->key = kind >= 16 && kind <= 21;
        u->first = payload[2] >= 0x80;
    } else if (kind == 39 || kind == 40) {
        u->action = WHOLE;
    } else if (kind >= 35 && kind <= 38) {
        u->action = PASS_OVER;
    }
}

static void tell(struct state *s, struct scratch *p, uint32_t kind, uint32_t stamp, int64_t at, int64_t size) {
    struct record *r = &p->records[s->records++];
    r->kind = kind;
    r->stamp = stamp;
    r->at = (uint32_t)at;
    r->size = (uint32_t)size;
}

/* The open picture is whole. Its slice is closed. */
static void end_picture(struct state *s, struct scratch *p) {
    tell(s, p, s->flags & KEY ? KEY_PICTURE : PICTURE, (uint32_t)s->stamp, s->begin, s->end - s->begin);
    s->begin = s->end;
    s->emitted = s->stamp;
    s->flags &= TRUST_MARKER;
    s->bytes = s->pieces = 0;
}

/* Whether this packet is one of those that are taken here; nothing has been changed yet. */
static int is_taken(const struct state *s, const struct unit *u, int64_t stamp, int marker) {
    int changed = stamp != s->stamp, has_slice = !changed && (s->flags & HAS_SLICE), after_hole;
    if (u->action == STOP) return 0;
    if (u->action == GOES_ON || u->action == ENDS) {
        if (!s->is_open || changed) return 0;
    } else if (s->is_open) {
        return 0; /* the camera forgot its last fragment */
    }
    if (changed && s->pieces && !(s->flags & HAS_SLICE)) return 0;
    if (marker && (s->flags & TRUST_MARKER) && (u->action == BEGINS || u->action == GOES_ON)) return 0;
    if (u->slice && (u->action == WHOLE || u->action == BEGINS) && !has_slice && !u->first) {
        if (!changed) after_hole = s->flags & AFTER_HOLE;
        else after_hole = s->emitted < 0 && !(s->flags & HAS_SLICE);
        if (after_hole || (!changed && stamp == s->emitted)) return 0;
        if (changed && !(s->flags & HAS_SLICE) && stamp == s->emitted) return 0;
    }
    return 1;
}

static void append(struct state *s, struct scratch *p, const uint8_t *bytes, int64_t size) {
    memcpy(p->out + s->end, bytes, (size_t)size);
    s->end += size;
    s->bytes += size;
}

static void take(struct state *s, struct scratch *p, const struct unit *u) {
    static const uint8_t unknown[4] = {0, 0, 0, 0};
    uint8_t length[4];
    if (u->slice && (u->action == WHOLE || u->action == BEGINS)) s->flags |= HAS_SLICE;
    if (u->key && (u->action == WHOLE || u->action == BEGINS)) s->flags |= KEY;
    switch (u->action) {
    case WHOLE:
        put_length(length, u->size);
        append(s, p, length, 4);
        append(s, p, u->body, u->size);
        s->pieces += 2;
        break;
    case BEGINS:
        s->is_open = 1;
        s->open_kind = u->kind;
        s->unit = u->own_bytes + u->size;
        s->length_at = s->end;
        append(s, p, unknown, 4);
        append(s, p, u->own, u->own_bytes);
        append(s, p, u->body, u->size);
        s->pieces += 3;
        break;
    case GOES_ON:
    case ENDS:
        append(s, p, u->body, u->size);
        s->unit += u->size;
        s->pieces += 1;
        if (u->action == ENDS) {
            if (s->length_at >= 0) put_length(p->out + s->length_at, s->unit);
            else s->closed = s->unit;
            s->is_open = 0;
            s->length_at = -1;
        }
        break;
    default: break;
    }
}

/* One video packet, a plain one by its header; 0 when it is not for here. */
static int walk_video(struct state *s, struct scratch *p, const uint8_t *packet, int64_t size) {
    struct unit u;
    int marker = packet[1] >= 0x80;
    int64_t stamp = four(packet + 4);
    memset(&u, 0, sizeof u);
    if (two(packet + 2) != s->expected || size <= HEADER) return 0;
    if (s->end + size + MOST_ADDED > OUT_BYTES || s->records + 2 > MOST_RECORDS) return 0;
    if (s->codec == H264) read_h264(&u, packet + HEADER, size - HEADER);
    else read_h265(&u, packet + HEADER, size - HEADER);
    if (!is_taken(s, &u, stamp, marker)) return 0;
    s->expected = (s->expected + 1) & 0xFFFF;
    s->packets += 1;
    if (stamp != s->stamp) {
        if (s->flags & HAS_SLICE) end_picture(s, p);
        s->stamp = stamp;
        s->flags &= TRUST_MARKER;
        if (s->emitted < 0) s->flags |= AFTER_HOLE;
    }
    take(s, p, &u);
    if (marker && (s->flags & TRUST_MARKER) && (s->flags & HAS_SLICE)) end_picture(s, p);
    else if (s->bytes > MAX_PICTURE_BYTES || s->pieces > MAX_PICTURE_PIECES) s->too_large = 1;
    return 1;
}

static int walk_sound(struct state *s, struct scratch *p, const uint8_t *data, int64_t at, int64_t size) {
    const uint8_t *packet = data + at;
    if ((packet[1] & 0x7F) != s->sound_type || two(packet + 2) != s->sound_expected) return 0;
    if (s->records + 2 > MOST_RECORDS) return 0;
    s->sound_expected = (s->sound_expected + 1) & 0xFFFF;
    s->sound_packets += 1;
    tell(s, p, SOUND, four(packet + 4), at + HEADER, size - HEADER);
    return 1;
}

/* Where it stopped in data[at:size]. */
int64_t beholden_walk(const uint8_t *data, int64_t at, int64_t size, struct state *s, struct scratch *p) {
    s->packets = s->sound_packets = s->records = s->begin = s->end = s->closed = s->too_large = 0;
    s->length_at = -1;
    while (size - at >= 4 + HEADER && !s->too_large) {
        const uint8_t *packet = data + at + 4;
        int64_t length = two(data + at + 2);
        if (data[at] != 0x24 || length > size - at - 4 || length < HEADER || packet[0] != 0x80) break;
        if (data[at + 1] == s->channel) {
            if ((packet[1] & 0x7F) != s->payload_type || !walk_video(s, p, packet, length)) break;
        } else if (data[at + 1] != s->sound_channel || !walk_sound(s, p, data, at + 4, length)) {
            break;
        }
        at += 4 + length;
    }
    return at;
}
