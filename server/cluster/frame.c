#include "server/cluster/frame.h"

#include <assert.h>

/* A buffer that grew beyond this for one frame is not kept for the next. */
#define KEEP_MAX (256u << 10)

void
frame_reader_init(struct frame_reader *reader)
{
	reader->max = FRAME_MAX;
	reader->partial = buf_new(FRAME_HEAD_SIZE + FRAME_MAX);
	reader->handed_out = false;
}

void
frame_reader_free(struct frame_reader *reader)
{
	buf_free(&reader->partial);
}

void
frame_head(
    uint8_t head[static FRAME_HEAD_SIZE], enum frame_type type, uint32_t size)
{
	assert(size <= FRAME_MAX);
	head[0] = FRAME_MAGIC;
	head[1] = (uint8_t)type;
	head[2] = head[3] = 0;
	head[4] = (uint8_t)(size >> 24);
	head[5] = (uint8_t)(size >> 16);
	head[6] = (uint8_t)(size >> 8);
	head[7] = (uint8_t)size;
}

/*
 * Judge as much of a head as has come, so that garbage is refused at its first
 * byte. *payload is set once all of it is there.
 */
static enum err
head_check(const uint8_t *head, size_t size, uint32_t max, uint32_t *payload,
    struct errmsg *why)
{
	struct reader in = {head, size};
	uint8_t magic, type;
	uint16_t reserved;

	if (!read_u8(&in, &magic))
		return OK;
	if (magic != FRAME_MAGIC) {
		return err_set(why, ERR_PROTOCOL,
		    "first byte is 0x%02x, want 0x%02x", magic, FRAME_MAGIC);
	}
	if (!read_u8(&in, &type))
		return OK;
	if (type < FRAME_HELLO || type > FRAME_LAST) {
		return err_set(
		    why, ERR_PROTOCOL, "unknown frame type %u", type);
	}
	if (!read_u16(&in, &reserved))
		return OK;
	if (reserved != 0) {
		return err_set(why, ERR_PROTOCOL,
		    "reserved bits of a frame are 0x%04x, want 0", reserved);
	}
	if (!read_u32(&in, payload))
		return OK;
	if (*payload > max) {
		return err_set(why, ERR_PROTOCOL,
		    "frame of type %u has %u bytes, limit %u", type, *payload,
		    max);
	}
	return OK;
}

static void
take(const uint8_t **data, size_t *size, size_t taken)
{
	*data += taken;
	*size -= taken;
}

/* Move bytes of the input into the partial buffer until it holds want. */
static void
fill(struct frame_reader *reader, const uint8_t **data, size_t *size,
    size_t want)
{
	size_t missing;

	if (reader->partial.size >= want)
		return;
	missing = want - reader->partial.size;
	if (missing > *size)
		missing = *size;
	buf_raw(&reader->partial, *data, missing);
	take(data, size, missing);
}

enum err
frame_next(struct frame_reader *reader, const uint8_t **data, size_t *size,
    bool *got, struct frame *frame, struct errmsg *why)
{
	struct buf *partial = &reader->partial;
	uint32_t payload = 0;
	enum err rc;

	*got = false;
	if (reader->handed_out) {
		reader->handed_out = false;
		if (partial->capacity > KEEP_MAX)
			buf_free(partial);
		buf_reset(partial);
	}
	if (partial->size == 0 && *size >= FRAME_HEAD_SIZE) {
		rc = head_check(*data, *size, reader->max, &payload, why);
		if (rc != OK)
			return rc;
		if (*size - FRAME_HEAD_SIZE >= payload) {
			frame->type = (enum frame_type)(*data)[1];
			frame->data = *data + FRAME_HEAD_SIZE;
			frame->size = payload;
			take(data, size, FRAME_HEAD_SIZE + payload);
			*got = true;
			return OK;
		}
	}
	fill(reader, data, size, FRAME_HEAD_SIZE);
	rc = buf_status(partial, why);
	if (rc != OK)
		return rc;
	rc = head_check(
	    partial->data, partial->size, reader->max, &payload, why);
	if (rc != OK || partial->size < FRAME_HEAD_SIZE)
		return rc;
	fill(reader, data, size, FRAME_HEAD_SIZE + (size_t)payload);
	rc = buf_status(partial, why);
	if (rc != OK || partial->size < FRAME_HEAD_SIZE + (size_t)payload)
		return rc;
	frame->type = (enum frame_type)partial->data[1];
	frame->data = partial->data + FRAME_HEAD_SIZE;
	frame->size = payload;
	reader->handed_out = true;
	*got = true;
	return OK;
}
